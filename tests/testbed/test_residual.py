"""Residual censorship is measured one trigger and one probe at a time."""

from __future__ import annotations

import dataclasses
import time
from itertools import pairwise
from pathlib import Path

import pytest

from middlebox.policy import Policy
from testbed import residual
from testbed.leg import Leg
from testbed.residual import ENOUGH, Probing, steps, waits
from testbed.result import Row
from testbed.topology import shipped
from tests.testbed.pretended import GOOD_STATS, MEMORY_S, SCENARIO, PretendedLab


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    PretendedLab.ALL, PretendedLab.STATS = [], dict(GOOD_STATS)
    monkeypatch.setattr(residual, "SHORTEST_S", 0.1)
    monkeypatch.setattr(residual, "APART_S", 0.0)


def _probe(folder: Path, longest_s: float) -> list[Row]:
    rows: list[Row] = []
    scenario = dataclasses.replace(SCENARIO, residual_wait_s=longest_s)
    policy, topology = Policy.load("sni-drop"), shipped("small")
    lab = PretendedLab(policy, topology, [], 1, folder / "leg")
    leg = Leg(run="r", scenario=scenario, policy=policy, seed=1, lab=lab, topology=topology, record=rows.append)
    Probing(leg).finish()
    return rows


def test_waits_grow_by_a_sixth_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residual, "SHORTEST_S", 2.0)
    found = waits(180)
    assert (found[0], found[-1]) == (2.0, 180)
    assert all(1 < later / earlier < 1.17 for earlier, later in pairwise(found))
    assert waits(0) == []


def test_the_end_of_the_memory_lies_between_the_last_blocked_and_the_first_free_probe(tmp_path: Path) -> None:
    rows = _probe(tmp_path, 3.0)
    probes = sorted((row for row in rows if row.phase == "residual"), key=lambda row: row.after_trigger_s or 0)
    blocked = [row.after_trigger_s or 0 for row in probes if row.outcome.value == "blocked"]
    free = [row.after_trigger_s or 0 for row in probes if row.outcome.value == "ok"]
    assert max(blocked) <= MEMORY_S < min(free) + 0.05
    assert min(free) < MEMORY_S * 1.4


def test_no_address_is_probed_twice_and_the_trigger_came_from_it(tmp_path: Path) -> None:
    rows = _probe(tmp_path, 1.0)
    probed = [row.address for row in rows if row.phase == "residual"]
    assert len(probed) == len(set(probed))
    triggered = [row.address for row in rows if row.phase == "trigger"]
    assert set(probed) <= set(triggered)
    assert len(triggered) == len(set(triggered))


def test_another_address_is_probed_once_while_the_first_one_is_hit(tmp_path: Path) -> None:
    rows = _probe(tmp_path, 0.5)
    (beside,) = [row for row in rows if row.phase == "residual-neighbour"]
    assert beside.outcome.value == "ok"
    assert beside.address not in {row.address for row in rows if row.phase == "trigger"}


def test_probing_ends_early_once_it_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    rows = _probe(tmp_path, 3.0)
    free = [row for row in rows if row.phase == "residual" and row.outcome.value == "ok"]
    assert ENOUGH <= len(free) <= ENOUGH + 1
    assert time.monotonic() - began < 5


def test_steps_count_triggers_probes_and_the_neighbour() -> None:
    scenario = dataclasses.replace(SCENARIO, residual_wait_s=0.5)
    assert steps(scenario) == 2 * len(waits(0.5)) + 1
    assert steps(SCENARIO) == 0
    assert steps(dataclasses.replace(scenario, residual=None)) == 0
