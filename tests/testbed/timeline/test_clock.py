"""The phases as they pass, and when tools are due."""

from __future__ import annotations

import time

import pytest

from testbed.timeline.clock import Clock, Passed
from testbed.timeline.values import Phase

PHASES = (
    Phase(name="before", seconds=1, about=""),
    Phase(name="during", seconds=2, about="", ruled=True),
)


def test_every_phase_is_entered_and_left_and_takes_its_time() -> None:
    clock = Clock(PHASES, 0.1)
    told: list[str] = []
    begin = time.monotonic()
    clock.run(lambda phase: told.append(f"in {phase.name}"), lambda passed: told.append(f"out {passed.name}"))
    assert told == ["in before", "out before", "in during", "out during"]
    assert 0.3 <= time.monotonic() - begin < 1.5
    assert clock.over()
    first, second = clock.passed
    assert second.begin_s - first.begin_s >= 0.1
    assert second.end_s - second.begin_s == pytest.approx(0.2)


def test_a_clock_that_is_stopped_enters_no_further_phase() -> None:
    clock = Clock(PHASES, 10)
    told: list[str] = []

    def enter(phase: Phase) -> None:
        told.append(phase.name)
        clock.stop()

    clock.run(enter, lambda passed: None)
    assert told == ["before"]
    assert clock.rest(5) is True


def test_before_it_runs_it_is_in_its_first_phase() -> None:
    assert Clock(PHASES, 1).phase == "before"


def test_tools_are_due_in_ruled_phases_alone_first_after_they_were_held_then_again_and_again() -> None:
    clock = Clock(PHASES, 1, held_s=4, renew_s=10)
    assert clock.due(99) == float("inf")
    clock.passed.append(Passed(name="before", begin_s=100, end_s=108))
    assert clock.due(101) == float("inf")
    clock.passed.append(Passed(name="during", begin_s=108, end_s=140))
    assert clock.due(101) == 112
    assert clock.due(101, later_s=1) == 113
    assert clock.due(112.5) == 122
    assert clock.due(123) == 132


def test_where_nothing_is_held_tools_are_never_due() -> None:
    clock = Clock(PHASES, 1)
    clock.passed.append(Passed(name="during", begin_s=108, end_s=140))
    assert clock.due(101) == float("inf")
