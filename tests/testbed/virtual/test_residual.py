"""Residual censorship in virtual time ends when the policy says."""

from __future__ import annotations

import dataclasses

import pytest

from testbed.residual import NEIGHBOUR, RESIDUAL, TRIGGER
from testbed.result import Outcome, Row
from testbed.virtual.residual import VirtualProbing
from tests.testbed.virtual.made import QUICK, leg


def test_a_memory_of_three_minutes_is_found_and_hits_no_neighbour() -> None:
    rows: list[Row] = []
    made = leg(rows, "gfw-like")
    made.lab.run(VirtualProbing(made).probe())
    probes = [row for row in rows if row.phase == RESIDUAL]
    blocked = [row.after_trigger_s or 0 for row in probes if row.outcome is Outcome.BLOCKED]
    free = [row.after_trigger_s or 0 for row in probes if row.outcome is Outcome.OK]
    assert max(blocked) < 180 < min(free)
    assert [row.outcome for row in rows if row.phase == NEIGHBOUR] == [Outcome.OK]
    assert len({row.address for row in rows if row.phase == TRIGGER}) == len(probes)


def test_without_a_memory_a_few_probes_are_enough() -> None:
    rows: list[Row] = []
    made = leg(rows, "sni-drop")
    made.lab.run(VirtualProbing(made).probe())
    assert [row.outcome for row in rows if row.phase == RESIDUAL] == [Outcome.OK] * 6


def test_what_triggers_nothing_is_not_probed() -> None:
    rows: list[Row] = []
    made = leg(rows, None)
    made.lab.run(VirtualProbing(made).probe())
    assert {row.phase for row in rows} == {TRIGGER}


def test_a_scenario_that_does_not_ask_is_refused() -> None:
    made = leg([], None, dataclasses.replace(QUICK, residual=None))
    with pytest.raises(ValueError, match="asks for no residual censorship"):
        VirtualProbing(made)
