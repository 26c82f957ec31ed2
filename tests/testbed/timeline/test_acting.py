"""An actor at work: its streams run side by side, and each transfer is told once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from testbed.result import Outcome
from testbed.timeline.acting import Acting, Done
from testbed.timeline.clock import Clock
from testbed.timeline.values import Phase
from testbed.topology import shipped
from tests.testbed.timeline.pretended import TIMELINE, PretendedTimelineLab, fresh

PHASES = (Phase(name="only", seconds=0.5, about=""),)


def _act(folder: Path, *, gone: bool = False) -> tuple[list[Done], Acting]:
    fresh()
    lab = PretendedTimelineLab(None, shipped("national"), [], 1, folder / "lab")
    lab.gone = gone
    told: list[Done] = []
    clock = Clock(PHASES, 1)
    numbers = iter(range(1, 1000))
    acting = Acting(
        actor=TIMELINE.actors[0],
        transfers={one.name: one for one in TIMELINE.transfers},
        truth={one.host: "203.0.113.30" for one in TIMELINE.transfers},
        host=lab.host("client"),
        clock=clock,
        factor=1,
        fresh=lambda: f"10.0.0.{next(numbers)}",
        tell=told.append,
    )
    clock.run(lambda phase: acting.start(), lambda passed: None)
    acting.join(5)
    return told, acting


def test_its_streams_run_side_by_side_from_fresh_addresses(tmp_path: Path) -> None:
    told, acting = _act(tmp_path)
    assert acting.errors == []
    for name in ("text", "photo"):
        mine = [one for one in told if one.transfer.name == name]
        assert len(mine) >= 2
        assert [one.number for one in mine] == list(range(1, len(mine) + 1))
    assert {one.seen.outcome for one in told} == {Outcome.OK}
    assert len({one.source for one in told}) == len(told)
    assert {one.phase for one in told} == {"only"}


def test_when_the_lab_is_gone_there_is_no_result_and_no_storm(tmp_path: Path) -> None:
    told, acting = _act(tmp_path, gone=True)
    assert acting.errors == []
    assert 1 <= len(told) <= 8
    assert {(one.seen.outcome, one.dead) for one in told} == {(Outcome.NO_RESULT, "lab is gone")}


def test_a_mistake_of_ours_ends_the_leg_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*words: object, **more: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr("testbed.timeline.acting.fetch", fetch)
    told, acting = _act(tmp_path)
    assert told == []
    assert acting.clock.over()
    assert "a mistake" in {str(error) for error in acting.errors}
    assert threading.active_count() < 20
