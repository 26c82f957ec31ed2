"""When acknowledgements leave."""

from __future__ import annotations

from testbed.simulate.clock import START_NS, Clock
from testbed.simulate.tcp.acknowledging import Acknowledging
from testbed.simulate.tcp.round_trips import MS, RoundTrips


class Receiver:
    """A receiver of full segments that notes when it acknowledges."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.times: list[float] = []
        trips = RoundTrips()
        trips.take(100 * MS, 0, 0)
        self.number = 0
        self.acknowledging = Acknowledging(self.clock, trips, self._send)

    def _send(self) -> None:
        self.times.append((self.clock.now_ns - START_NS) / MS)
        self.acknowledging.on_sent(self.number, 0)

    def come(self, size: int = 1_000, *, missing: bool = False, closed: bool = False, wait_ms: float = 0) -> None:
        if not missing:
            self.number += size
        self.acknowledging.on_data(self.number, size, missing=missing, closed=closed)
        if wait_ms:
            self.clock.run_for(wait_ms / 1_000)

    def settle(self) -> None:
        """Past the segments that are acknowledged at once because they are the first."""
        for _ in range(16):
            self.come(wait_ms=5)
        self.clock.run_for(0.05)
        self.times.clear()


def test_at_first_each_segment_is_acknowledged_at_once() -> None:
    receiver = Receiver()
    for _ in range(16):
        receiver.come(wait_ms=5)
    assert len(receiver.times) == 16


def test_later_each_second_one_is() -> None:
    receiver = Receiver()
    receiver.settle()
    for _ in range(20):
        receiver.come(wait_ms=1)
    assert len(receiver.times) == 10


def test_one_alone_waits_40_ms() -> None:
    receiver = Receiver()
    receiver.settle()
    begin = (receiver.clock.now_ns - START_NS) / MS
    receiver.come()
    receiver.clock.run_for(1)
    assert len(receiver.times) == 1
    assert 39 <= receiver.times[0] - begin <= 41


def test_a_segment_that_is_not_full_is_acknowledged_when_it_is_read() -> None:
    receiver = Receiver()
    receiver.settle()
    receiver.come(300)
    assert len(receiver.times) == 1


def test_who_answers_lets_the_answer_carry_it() -> None:
    receiver = Receiver()
    receiver.settle()
    receiver.come(300, wait_ms=1)
    receiver.acknowledging.on_sent(receiver.number, 500)
    receiver.times.clear()
    receiver.come(300)
    assert receiver.times == []
    receiver.clock.run_for(0.1)
    assert len(receiver.times) == 1


def test_behind_a_gap_the_first_three_leave_at_once_and_the_others_once_a_millisecond() -> None:
    receiver = Receiver()
    receiver.settle()
    for _ in range(20):
        receiver.come(missing=True)
    assert len(receiver.times) == 3
    receiver.clock.run_for(0.002)
    assert len(receiver.times) == 4


def test_a_gap_that_closes_is_told_at_once() -> None:
    receiver = Receiver()
    receiver.settle()
    receiver.come(missing=True)
    receiver.come(closed=True)
    assert len(receiver.times) == 2


def test_after_a_duplicate_the_next_ones_are_acknowledged_at_once() -> None:
    receiver = Receiver()
    receiver.settle()
    receiver.acknowledging.hurry()
    for _ in range(3):
        receiver.come(wait_ms=1)
    assert len(receiver.times) == 3


def test_a_long_pause_makes_it_hurry_again() -> None:
    receiver = Receiver()
    receiver.settle()
    receiver.clock.run_for(2)
    receiver.come(wait_ms=1)
    receiver.come(wait_ms=1)
    assert len(receiver.times) == 2
