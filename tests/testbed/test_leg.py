"""A leg: the order of attempts, the addresses they come from, and what a row says."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import pytest

from middlebox.policy import Policy
from testbed.fidelity import BoxWatch
from testbed.leg import MORE_ROUNDS, Addresses, Leg
from testbed.result import Fidelity, Outcome, Row
from testbed.scenario import Scenario
from testbed.topology import shipped
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


def test_addresses_are_fresh_until_the_block_is_used_up() -> None:
    addresses = Addresses(IPv4Network("10.0.0.0/28"), IPv6Network("2001:db8:1::/64"), "10.0.0.1")
    given = [addresses.fresh() for _ in range(13)]
    fours, sixes = {four for four, _ in given}, {six for _, six in given}
    assert len(fours) == len(sixes) == 13
    assert "10.0.0.1" not in fours
    assert all(ip_address(four) in IPv4Network("10.0.0.0/28") for four in fours)
    assert addresses.reused == 0
    assert addresses.fresh()[0] in fours
    assert addresses.reused > 0


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
