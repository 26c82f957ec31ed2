"""What rows say, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.findings import Cell, Check, cells, checks, residuals
from testbed.result import Outcome, Row
from tests.testbed.written import GOOD, rows, run_of, suspect, table


def _cells(folder: Path, some: list[Row], policies: tuple[str, ...] = ("sni-drop",)) -> tuple[list[Cell], list[Check]]:
    manifest = run_of(folder, some, policies=policies)
    found = cells(table(folder), manifest)
    return found, checks(found, manifest)


def _held(some: list[Check]) -> list[bool]:
    return [check.held for check in some]


def test_a_cell_counts_what_was_blocked_and_how_long_it_took(tmp_path: Path) -> None:
    some = [
        *rows(3, policy="sni-drop", target="blocked", failure="connection_reset", seconds=0.1),
        *rows(1, policy="sni-drop", target="blocked", failure="generic_timeout_error", seconds=3.0),
        *rows(1, policy="sni-drop", target="blocked", seconds=0.3),
    ]
    (cell,), _ = _cells(tmp_path, some)
    assert (cell.blocked.hits, cell.blocked.n) == (4, 5)
    assert (round(cell.blocked.low, 4), round(cell.blocked.high, 4)) == (0.3755, 0.9638)  # Wilson, by hand
    assert cell.failures == (("connection_reset", 3), ("generic_timeout_error", 1))
    assert cell.to_failure is not None
    assert cell.to_failure.value == pytest.approx(0.1)
    assert cell.to_page is not None
    assert cell.to_page.value == pytest.approx(0.3)


def test_suspect_and_lost_rows_count_apart(tmp_path: Path) -> None:
    some = [*rows(4, policy="sni-drop"), *suspect(rows(3, policy="sni-drop", failure="generic_timeout_error"))]
    (cell,), _ = _cells(tmp_path, some)
    assert (cell.blocked.hits, cell.blocked.n, cell.suspect, cell.lost) == (0, 4, 3, 0)
    assert not cell.over


def test_other_phases_are_not_attempts(tmp_path: Path) -> None:
    some = [*rows(2, policy="sni-drop"), *rows(5, policy="sni-drop", phase="residual", failure="connection_reset")]
    (cell,), _ = _cells(tmp_path, some)
    assert (cell.blocked.hits, cell.blocked.n) == (0, 2)


def test_a_run_as_it_should_be_passes_every_check(tmp_path: Path) -> None:
    found, made = _cells(tmp_path, GOOD)
    assert len(found) == 4
    assert _held(made) == [True, True, True, True]
    assert not any(cell.over or cell.under for cell in found)


def test_overblocking_fails_a_check_and_is_named(tmp_path: Path) -> None:
    some = [*GOOD, *rows(1, policy="sni-drop", failure="connection_reset")]
    found, made = _cells(tmp_path, some)
    assert [(cell.policy, cell.target) for cell in found if cell.over] == [("sni-drop", "innocent")]
    failed = [check for check in made if not check.held]
    assert [check.lab for check in failed] == [False]
    assert "sni-drop/innocent (blocked 1 of 11" in failed[0].text


def test_underblocking_fails_only_for_the_scenarios_own_policies(tmp_path: Path) -> None:
    under = rows(1, policy="sni-drop", target="blocked", intended=Outcome.BLOCKED)
    (tmp_path / "own").mkdir()
    _, made = _cells(tmp_path / "own", [*GOOD, *under])
    assert [check.text for check in made if not check.held] == [
        "what the scenario's policies mean to block is blocked, always; not so: "
        "sni-drop/blocked (blocked 10 of 11 (90.9 %, 95 % interval 62.3 % to 98.4 %))"
    ]
    (tmp_path / "mine").mkdir()
    mine = [*rows(1, policy="mine", target="blocked", intended=Outcome.BLOCKED), *rows(1), *rows(1, target="blocked")]
    found, made = _cells(tmp_path / "mine", mine, ("mine",))
    assert any(cell.under for cell in found)
    assert all(_held(made))


def test_a_control_that_fails_is_the_labs_fault(tmp_path: Path) -> None:
    _, made = _cells(tmp_path, [*GOOD, *rows(1, failure="host_unreachable")])
    (failed,) = (check for check in made if not check.held)
    assert failed.lab
    assert failed.text.startswith("without a policy everything gets through; not so: control/innocent (blocked 1 of 11")


def test_a_cell_without_a_row_to_trust_is_the_labs_fault(tmp_path: Path) -> None:
    some = [*rows(1), *rows(1, target="blocked"), *suspect(rows(2, policy="sni-drop"))]
    _, made = _cells(tmp_path, some)
    failed = [check for check in made if not check.held]
    assert [check.lab for check in failed] == [True]
    assert "sni-drop/innocent" in failed[0].text


def _probes(*pairs: tuple[float, bool]) -> list[Row]:
    made = rows(1, policy="sni-drop", phase="trigger", target="blocked", failure="connection_reset")
    for when, blocked in pairs:
        failure = "connection_reset" if blocked else ""
        made += rows(1, policy="sni-drop", phase="residual", after_trigger_s=when, failure=failure)
    return made


def test_residual_censorship_ends_between_the_last_blocked_and_the_next_free_probe(tmp_path: Path) -> None:
    some = _probes((2.0, True), (4.0, False), (8.0, True), (16.0, False), (32.0, False))
    some += rows(1, policy="sni-drop", phase="residual-neighbour", after_trigger_s=0.1)
    manifest = run_of(tmp_path, some)
    (found,) = residuals(table(tmp_path), manifest)
    assert (found.triggers, found.last_blocked_s, found.first_free_s) == (1, 8.0, 16.0)
    assert found.neighbour_blocked is False


def test_residual_censorship_may_not_have_begun_or_not_have_ended(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    manifest = run_of(tmp_path / "none", _probes((2.0, False), (4.0, False)))
    (found,) = residuals(table(tmp_path / "none"), manifest)
    assert (found.last_blocked_s, found.first_free_s) == (None, 2.0)
    (tmp_path / "long").mkdir()
    manifest = run_of(tmp_path / "long", _probes((2.0, True), (4.0, True)))
    (found,) = residuals(table(tmp_path / "long"), manifest)
    assert (found.last_blocked_s, found.first_free_s) == (4.0, None)
    assert found.neighbour_blocked is None


@pytest.mark.parametrize(("keys", "alone"), [("4-tuple", True), ("3-tuple, 4-tuple", False), ("", False)])
def test_probes_cannot_meet_a_memory_of_4_tuples_alone(tmp_path: Path, keys: str, alone: bool) -> None:
    manifest = run_of(tmp_path, _probes((2.0, False)))
    assert not residuals(table(tmp_path), manifest)[0].by_port_alone  # a run of an older version
    manifest["policies"][0]["memories"] = keys
    assert residuals(table(tmp_path), manifest)[0].by_port_alone is alone
