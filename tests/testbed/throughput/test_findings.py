"""Cells of a throughput run, the means of slowing, and what has to hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.manifest import read
from testbed.result import Outcome, Row, read_rows
from testbed.throughput.findings import PAYLOAD, Cell, Means, cells, checks, expected, means, of
from tests.testbed.throughput.slowed import CONTROL, GOOD, THROTTLED, five, run_of
from tests.testbed.written import suspect


@pytest.fixture
def found(tmp_path: Path) -> list[Cell]:
    manifest = run_of(tmp_path)
    return cells(read_rows(tmp_path), manifest)


def _cell(found: list[Cell], policy: str, target: str) -> Cell:
    cell = of(found, policy, target)
    assert cell is not None
    return cell


def test_a_slowed_cell_has_its_goodput_its_ratio_and_the_policys_rate(found: list[Cell]) -> None:
    cell = _cell(found, "police", "down")
    assert (cell.outcome, cell.share, cell.n, cell.off) == ("throttled", 1.0, 5, False)
    assert cell.goodput is not None
    assert cell.goodput.value == pytest.approx(122e3)
    assert cell.ratio is not None
    assert cell.ratio.low < 122 / 9000 < cell.ratio.high
    assert cell.rate == 128e3
    assert expected(cell) == pytest.approx(128e3 * PAYLOAD)
    assert _cell(found, "police", "other").rate is None
    assert _cell(found, "control", "down").ratio is None


def test_a_cell_that_got_nothing_says_how_far_it_came(found: list[Cell]) -> None:
    cell = _cell(found, "freeze", "down")
    assert (cell.outcome, cell.goodput, cell.failures) == ("blocked", None, (("generic_timeout_error", 5),))
    assert cell.got is not None
    assert cell.got.value == 16_000


@pytest.mark.parametrize(
    ("rtt_s", "resent", "handshake_s", "kind"),
    [
        (0.05, 0.3, 0.04, Means.LOSS),
        (2.8, 0.0, 0.3, Means.QUEUE),
        (2.8, 0.2, 0.3, Means.BOTH),
        (0.9, 0.05, 0.9, Means.LATE_LOSS),
        (0.9, 0.0, 0.9, Means.LATE),
        (0.05, 0.0, 0.04, Means.NEITHER),
        (0.15, 0.0, 0.04, Means.NEITHER),  # no more than the queue of the subscriber's own line, as in the control
    ],
)
def test_the_means_follow_from_what_the_senders_kernel_saw(
    tmp_path: Path, rtt_s: float, resent: float, handshake_s: float, kind: Means
) -> None:
    slow = five("down", "police", 1e5, rtt_s=rtt_s, retransmitted=resent, tls_s=0.08 + handshake_s)
    manifest = run_of(tmp_path, [*CONTROL, *slow])
    found = cells(read_rows(tmp_path), manifest)
    assert means(_cell(found, "police", "down"), _cell(found, "control", "down")) is kind


def test_in_a_good_run_everything_holds(found: list[Cell], tmp_path: Path) -> None:
    made = checks(found, read(tmp_path))
    assert len(made) == 5
    assert all(check.held for check in made)


def _failing(folder: Path, some: list[Row]) -> list[str]:
    manifest = run_of(folder, some)
    return [check.text for check in checks(cells(read_rows(folder), manifest), manifest) if not check.held]


def _without(policy: str, target: str) -> list[Row]:
    return [row for row in GOOD if (row.policy, row.target) != (policy, target)]


def test_an_innocent_target_that_lost_goodput_fails(tmp_path: Path) -> None:
    (text,) = _failing(tmp_path, [*_without("police", "other"), *five("other", "police", 5e6)])
    assert text.startswith("what no policy means has at least 0.8")
    assert "police/other (5 ok, ratio 0.56)" in text


def test_a_policy_that_does_not_slow_what_it_means_to_fails(tmp_path: Path) -> None:
    fast = five("page", "police", 9e6, intended=Outcome.THROTTLED)
    (text,) = _failing(tmp_path, [*_without("police", "page"), *fast])
    assert "police/page (5 ok; meant: throttled)" in text


def test_a_rate_that_is_not_held_fails(tmp_path: Path) -> None:
    (text,) = _failing(tmp_path, [*_without("police", "down"), *five("down", "police", 100e3, **THROTTLED)])
    assert text.startswith("long transfers come within 10 % of the goodput that the policy's rate leaves")
    assert text.endswith("not so: police/down (100.0 kbit/s)")


def test_a_control_that_fails_and_a_cell_without_trust_are_the_labs(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    bad = five("other", "control", None, outcome=Outcome.BLOCKED, failure="connection_reset")
    texts = _failing(tmp_path / "one", [*_without("control", "other"), *bad])
    assert any(text.startswith("without a policy everything gets through; not so: other (5 blocked)") for text in texts)
    there = [row for row in GOOD if (row.policy, row.target) == ("police", "other")]
    (text,) = _failing(tmp_path / "two", [*_without("police", "other"), *suspect(there)])
    assert text.endswith("not so: police/other")
