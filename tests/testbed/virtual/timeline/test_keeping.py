"""A tool that is kept in virtual time: connected when wanted, anew when due, and every attempt told."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from simpy.events import Event

from testbed.simulate.clock import SECOND_NS
from testbed.timeline.keeping import Tried
from testbed.timeline.series import Series
from testbed.tool import NotUp
from testbed.virtual.timeline.keeping import VirtualKeeping
from tests.testbed.simulate.tunnels.made import lab_with, serve


def test_it_connects_when_it_is_wanted_and_anew_when_it_is_due(tmp_path: Path) -> None:
    lab = lab_with()
    told: list[Tried] = []
    begin_s = lab.clock.now_ns / SECOND_NS

    def due(since_s: float) -> float:
        return begin_s + 5.0 if since_s < begin_s + 5.0 else float("inf")

    kept = VirtualKeeping(
        "wireguard", serve(lab, "wireguard").serving, lab.client, lab.clock,
        actor="anna", connect_s=2.0, patience_s=100.0, due=due,
        series=Series(tmp_path / "series.jsonl"), tell=told.append,
    )  # fmt: skip

    def person() -> Generator[Event, Any, None]:
        for _ in range(2):
            one = yield from kept.use(begin_s + 100)
            other = yield from kept.use(begin_s + 100)
            assert one is other
            kept.leave()
            kept.leave()
            yield lab.clock.wait(6.0)

    lab.run(person())
    assert [one.failure for one in told] == ["", ""]
    assert kept.was_up.triggered
    assert len(kept.renewed) == 2


def test_who_waits_gets_the_last_failure(tmp_path: Path) -> None:
    lab = lab_with("  - {name: all, match: {server.port: 51820}, action: {drop: {}}}\n", tmp_path)
    told: list[Tried] = []
    kept = VirtualKeeping(
        "wireguard", serve(lab, "wireguard").serving, lab.client, lab.clock,
        actor="anna", connect_s=1.0, patience_s=100.0, due=lambda since_s: float("inf"),
        series=Series(tmp_path / "series.jsonl"), tell=told.append,
    )  # fmt: skip

    def person() -> Generator[Event, Any, None]:
        with pytest.raises(NotUp):
            yield from kept.use(lab.clock.now_ns / SECOND_NS + 3.0)

    lab.run(person())
    assert [one.attempts for one in told] == [1, 2, 3]
    assert not kept.was_up.triggered
