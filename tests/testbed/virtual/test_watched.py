"""A watched connection: looks at intervals, and the ends of a transfer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from scenarios.throttling import SCENARIO
from testbed.simulate.laboratory import SimulatedLab
from testbed.virtual.asking import Ask
from testbed.virtual.watched import EndError, TimeIsOverError, Watched
from testbed.workloads.transfer import INTERVAL_S, STALL_S


def _line(limit_s: float = 45.0) -> Watched:
    lab = SimulatedLab(None, "adsl", seed=1)
    target = SCENARIO.target("slowed-page")
    return Watched(Ask(lab=lab, subscriber="client", target=target, limit_s=limit_s, source="10.0.0.9", truth={}))


def _silent(line: Watched, stop_s: float = 0.0) -> float:
    """Connect, ask for nothing, and wait for an answer; when that ended."""

    def wait() -> Generator[Event, Any, float]:
        yield from line.connect()
        line.stop_s = stop_s
        try:
            yield from line.receive()
        finally:
            line.close()
        return line.now_s

    ended: float = line.ask.lab.run(wait())[0]
    return ended


def test_what_does_not_move_has_failed() -> None:
    line = _line()
    with pytest.raises(EndError, match="timed out: nothing moved for 8 s") as caught:
        _silent(line)
    assert caught.value.stage == "read"
    assert line.now_s == pytest.approx(line.report["tls_s"] + STALL_S, abs=0.1)
    looks = [one[0] for one in line.report["series"]]
    assert len(looks) == pytest.approx(STALL_S / INTERVAL_S, abs=3)
    assert line.flow["min_rtt_us"] == pytest.approx(46_000, rel=0.05)  # by the server's TCP


def test_a_limit_and_an_end_of_time_come_first() -> None:
    line = _line(limit_s=2.0)
    with pytest.raises(EndError, match="timed out: n"):
        _silent(line)
    assert line.now_s == pytest.approx(2.0, abs=0.2)
    line = _line()
    with pytest.raises(TimeIsOverError):
        _silent(line, stop_s=1.0)
    assert line.now_s == pytest.approx(1.0, abs=0.001)


def test_before_it_is_connected_nothing_can_be_sent() -> None:
    line = _line()
    line.look()
    assert line.report["series"] == []
    with pytest.raises(AssertionError, match="not connected yet"):
        _ = line.secure
