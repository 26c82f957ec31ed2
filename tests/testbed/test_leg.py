"""A leg: the order of attempts, the addresses they come from, and what a row says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from middlebox.policy import Policy
from testbed.fidelity import BoxWatch
from testbed.judging import Normal
from testbed.leg import MORE_ROUNDS, Leg
from testbed.passage import Passages
from testbed.result import Fidelity, Outcome, Row
from testbed.scenario import Scenario
from testbed.series import Series
from testbed.topology import shipped
from testbed.workload import Ask, Observation, Target
from testbed.workloads import WORKLOADS
from tests.testbed.pretended import GOOD_STATS, SCENARIO, PretendedLab


@pytest.fixture(autouse=True)
def _fresh() -> None:
    PretendedLab.ALL, PretendedLab.STATS = [], dict(GOOD_STATS)


def _leg(
    rows: list[Row], folder: Path, *, scenario: Scenario = SCENARIO, policy: str | None = "sni-drop", seed: int = 1
) -> Leg:
    loaded = Policy.load(policy) if policy else None
    topology = shipped(scenario.topology)
    lab = PretendedLab(loaded, topology, [], seed, folder / "leg")
    return Leg(run="r", scenario=scenario, policy=loaded, seed=seed, lab=lab, topology=topology, record=rows.append)


def test_rounds_hold_each_target_once_in_an_order_that_the_seed_fixes(tmp_path: Path) -> None:
    plan = _leg([], tmp_path).attempts()
    assert plan == _leg([], tmp_path).attempts()
    assert plan != _leg([], tmp_path, seed=2).attempts()
    for number in range(1, 11):
        assert {target.name for which, target in plan if which == number} == {"blocked", "innocent"}
    firsts = {target.name for place, (_, target) in enumerate(plan) if place % 2 == 0}
    assert firsts == {"blocked", "innocent"}  # neither always comes first


def test_each_attempt_makes_a_row_from_an_address_of_its_own(tmp_path: Path) -> None:
    rows: list[Row] = []
    _leg(rows, tmp_path).measure()
    assert len(rows) == len({row.address for row in rows}) == 20
    blocked = [row for row in rows if row.target == "blocked"]
    assert {(row.outcome, row.failure, row.intended) for row in blocked} == {
        (Outcome.BLOCKED, "connection_reset", Outcome.BLOCKED)
    }
    innocent = [row for row in rows if row.target == "innocent"]
    assert {(row.outcome, row.failure, row.intended) for row in innocent} == {(Outcome.OK, "", Outcome.OK)}
    assert {row.policy for row in rows} == {"sni-drop"}
    assert {row.access for row in rows} == {"direct"}
    assert sorted(row.attempt for row in blocked) == list(range(1, 11))


def test_the_control_means_everything_to_pass_and_has_no_box(tmp_path: Path) -> None:
    rows: list[Row] = []
    _leg(rows, tmp_path, policy=None).measure()
    assert {(row.policy, row.outcome, row.intended) for row in rows} == {("control", Outcome.OK, Outcome.OK)}
    assert {(row.fidelity, row.box_added_p99_s, row.queue_drops) for row in rows} == {(Fidelity.OK, None, None)}


def _watched(rows: list[Row], folder: Path, stats: list[dict[str, Any]]) -> None:
    """A leg of which each answer of the box is the next of `stats`, the last one for ever."""
    scenario = dataclasses.replace(SCENARIO, attempts=1, parallel=1)
    leg = _leg(rows, folder, scenario=scenario)
    leg.watch = BoxWatch(lambda: stats.pop(0) if len(stats) > 1 else stats[0])
    leg.measure()


def test_suspect_attempts_are_made_again_and_all_rows_are_kept(tmp_path: Path) -> None:
    rows: list[Row] = []
    _watched(rows, tmp_path, [{**GOOD_STATS, "queue_drops": 2}, GOOD_STATS])
    assert [row.fidelity.value for row in rows] == ["suspect", "ok", "ok"]
    assert rows[0].queue_drops == 2
    assert (rows[2].target, rows[2].attempt) == (rows[0].target, 2)


def test_a_machine_that_stays_too_slow_is_given_up(tmp_path: Path) -> None:
    rows: list[Row] = []
    _watched(rows, tmp_path, [{**GOOD_STATS, "added_p99_s": 0.2}])
    assert len(rows) == 2 * (1 + MORE_ROUNDS)
    assert {row.fidelity for row in rows} == {Fidelity.SUSPECT}


def test_a_dead_box_leaves_no_result_whatever_the_client_saw(tmp_path: Path) -> None:
    rows: list[Row] = []
    _watched(rows, tmp_path, [{"alive": False}])
    assert {(row.outcome, row.failure, row.fidelity) for row in rows} == {(Outcome.NO_RESULT, "", Fidelity.NONE)}
    assert any("blocked connection_reset" in row.note for row in rows)


def test_ipv6_targets_are_asked_from_ipv6_but_names_are_not(tmp_path: Path) -> None:
    leg = _leg([], tmp_path)
    page = dataclasses.replace(SCENARIO.targets[0], family=6)
    assert ":" in leg.source(page)
    assert ":" not in leg.source(dataclasses.replace(page, workload="dns"))


def test_without_ipv6_its_targets_have_no_result_and_say_why(tmp_path: Path) -> None:
    rows: list[Row] = []
    scenario = dataclasses.replace(
        SCENARIO, attempts=1, residual=None, targets=(dataclasses.replace(SCENARIO.targets[1], family=6),)
    )
    leg = _leg(rows, tmp_path, scenario=scenario)
    leg.ipv6 = False
    leg.measure()
    (row,) = rows
    assert (row.outcome, row.fidelity) == (Outcome.NO_RESULT, Fidelity.NONE)
    assert "has no IPv6" in row.fidelity_reason


class _Filling:
    """Fills the line, and comes at a rate."""

    name, about, protocol, says_name, heavy, fills = "web", "", "https", True, False, True

    def __init__(self, goodput: float) -> None:
        self._goodput = goodput

    def size(self, target: Target) -> int:
        return 100_000

    def measure(self, ask: Ask) -> Observation:
        times = tuple(float(number) for number in range(15))
        series = Series(times_s=times, bytes=tuple(int(self._goodput / 8 * one) for one in times))
        return Observation(
            outcome=Outcome.OK, goodput=self._goodput, series=series, seconds=14, exit_address="192.0.2.1"
        )


def test_what_fills_the_line_is_made_alone_unless_the_policy_slows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WORKLOADS, "web", _Filling(1e6))
    blocked, innocent = SCENARIO.targets
    leg = _leg([], tmp_path / "policy")
    assert not leg.alone(blocked)
    assert leg.alone(innocent)
    assert leg.alone(dataclasses.replace(blocked, tool="wireguard"))  # hidden from the policy
    assert _leg([], tmp_path / "control", policy=None).alone(blocked)


def test_attempts_that_fill_the_line_come_after_the_others_and_those_through_tools_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WORKLOADS, "web", _Filling(1e6))
    through = dataclasses.replace(SCENARIO.targets[1], name="through", tool="wireguard")
    scenario = dataclasses.replace(SCENARIO, targets=(through, *SCENARIO.targets), attempts=3, residual=None)
    made: list[tuple[str, int]] = []

    def several(leg: Leg, plan: list[tuple[int, Target]], parallel: int) -> list[tuple[int, Target]]:
        made.extend((target.name, parallel) for _, target in plan)
        return []

    monkeypatch.setattr(Leg, "_several", several)
    monkeypatch.setattr(Passages, "open", lambda passages, tool: made.append((f"open {tool}", 0)))
    monkeypatch.setattr(Passages, "shut", lambda passages, tool: made.append((f"shut {tool}", 0)))
    _leg([], tmp_path, scenario=scenario).measure()
    many = scenario.parallel
    assert made == [
        *[("blocked", many)] * 3,
        *[("innocent", 1)] * 3,
        ("open wireguard", 0),
        *[("through", 1)] * 3,
        ("shut wireguard", 0),
    ]


def test_a_success_is_compared_with_the_control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[Row] = []
    kept: list[tuple[Row, Series]] = []
    monkeypatch.setitem(WORKLOADS, "web", _Filling(128e3))
    leg = _leg(rows, tmp_path, scenario=dataclasses.replace(SCENARIO, attempts=1, residual=None))
    leg.usual = {"innocent": Normal(goodput=(9e6, 8e6), handshake_s=())}
    leg.keep = lambda row, series: kept.append((row, series))
    leg.measure()
    assert {row.target: row.outcome for row in rows} == {"innocent": Outcome.THROTTLED, "blocked": Outcome.OK}
    assert {row.exit_address for row in rows} == {"192.0.2.1"}
    assert [row for row, _ in kept] == rows
