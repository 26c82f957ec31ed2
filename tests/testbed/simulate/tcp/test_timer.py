"""A timer that is set anew again and again."""

from __future__ import annotations

from testbed.simulate.clock import START_NS, Clock
from testbed.simulate.tcp.timer import Timer


class Ringing:
    def __init__(self) -> None:
        self.clock = Clock()
        self.times: list[int] = []
        self.timer = Timer(self.clock, lambda: self.times.append(self.clock.now_ns - START_NS))

    def set(self, at: int) -> None:
        self.timer.set(START_NS + at)


def test_the_last_time_that_was_set_counts() -> None:
    for order in ([10, 50, 30], [50, 10, 30], [30, 50, 10, 30]):
        ringing = Ringing()
        for at in order:
            ringing.set(at)
        ringing.clock.run()
        assert ringing.times == [30]
        assert ringing.timer.due_ns is None


def test_a_stopped_timer_is_silent_and_can_be_set_again() -> None:
    ringing = Ringing()
    ringing.set(10)
    ringing.timer.stop()
    ringing.clock.run()
    assert ringing.times == []
    ringing.set(40)
    ringing.clock.run()
    assert ringing.times == [40]


def test_postponing_it_costs_no_event_each_time() -> None:
    ringing = Ringing()
    for at in range(1_000):
        ringing.set(100 + at)
    assert len(ringing.clock._queue) == 1
    ringing.clock.run()
    assert ringing.times == [1_099]
