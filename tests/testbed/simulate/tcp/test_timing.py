"""What the timer is set for, and what it does when its time has come."""

from __future__ import annotations

import itertools

from testbed.simulate.clock import START_NS, Clock
from testbed.simulate.tcp.recovery import State
from testbed.simulate.tcp.scoreboard import Sent
from testbed.simulate.tcp.sender import Sender
from testbed.simulate.tcp.settings import Settings
from testbed.simulate.tcp.timing import MAX_TIMEOUTS, Waiting

MS = 1_000_000


class Line:
    """A sender with a round trip of 40 ms whose segments go nowhere."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sent: list[tuple[int, float]] = []
        self.asked: list[float] = []
        self.given_up = False
        self.sender = Sender(
            self.clock,
            Settings(control="reno", segment=1_000, offload=False),
            begin=0,
            transmit=self._transmit,
            probe_window=lambda: self.asked.append(self.now_ms),
            give_up=self._give_up,
        )
        self.sender.window_end = 1_000_000
        self.sender.round_trips.take(40 * MS, 0, 0)

    @property
    def now_ms(self) -> float:
        return (self.clock.now_ns - START_NS) / MS

    def _transmit(self, sent: Sent) -> None:
        self.sent.append((sent.seq, self.now_ms))

    def _give_up(self) -> None:
        self.given_up = True
        self.sender.stop()


def test_the_tail_is_probed_for_after_two_round_trips_and_then_comes_the_timeout() -> None:
    line = Line()
    line.sender.write(bytes(3_000))
    assert line.sender.timing.waiting is Waiting.PROBE
    line.clock.run_for(0.5)
    assert line.sent[:3] == [(0, 0.0), (1_000, 0.0), (2_000, 0.0)]
    assert line.sent[3] == (2_000, 82.0)  # 2 x 40 ms and two ticks: the last one again
    assert line.sent[4] == (0, 82.0 + 240.0)


def test_one_segment_alone_is_given_time_for_a_delayed_acknowledgement() -> None:
    line = Line()
    line.sender.write(bytes(1_000))
    line.clock.run_for(0.3)
    assert line.sent[1] == (0, 240.0)  # as late as the timeout would be


def test_a_probe_sends_something_new_if_there_is_any() -> None:
    line = Line()
    line.sender.window.packets = 2
    line.sender.write(bytes(5_000))
    line.clock.run_for(0.1)
    assert line.sent == [(0, 0.0), (1_000, 0.0), (2_000, 82.0)]


def test_timeouts_double_until_the_sender_gives_up() -> None:
    line = Line()
    line.sender.write(bytes(1_000))
    line.clock.run()
    times = [at for seq, at in line.sent]
    waits = [two - one for one, two in itertools.pairwise(times[1:])]
    assert waits[:4] == [240.0, 480.0, 960.0, 1_920.0]
    assert max(waits) == 120_000.0
    assert line.given_up
    assert len(line.sent) == 2 + MAX_TIMEOUTS


def test_new_data_does_not_postpone_the_timeout_for_ever() -> None:
    line = Line()
    line.sender.write(bytes(1_000))
    for _ in range(200):
        line.clock.run_for(0.01)
        line.sender.write(bytes(10))
    assert [at for seq, at in line.sent if seq == 0][1] < 500


def test_a_late_packet_is_waited_for_a_quarter_of_a_round_trip() -> None:
    line = Line()
    line.sender.write(bytes(3_000))
    line.clock.run_for(0.04)
    line.sender.on_ack(0, [(1_000, 2_000)], echo_ns=-1, plain=True)
    assert line.sender.timing.waiting is Waiting.LATE
    line.clock.run_for(0.02)
    assert line.sender.recovery.state is State.RECOVERY
    assert (0, 52.0) in line.sent  # 10 ms and two ticks


def test_a_closed_window_is_asked_about_ever_more_rarely() -> None:
    line = Line()
    line.sender.window_end = 0
    line.sender.write(bytes(1_000))
    assert line.sender.timing.waiting is Waiting.WINDOW
    line.clock.run_for(2)
    assert line.asked == [240.0, 720.0, 1_680.0]
    assert line.sent == []
    line.sender.window_end = 5_000
    line.sender.on_ack(0, [], echo_ns=-1, plain=False)
    assert [seq for seq, _ in line.sent] == [0]


def test_a_stopped_sender_is_silent() -> None:
    line = Line()
    line.sender.write(bytes(3_000))
    line.sender.stop()
    line.clock.run()
    assert len(line.sent) == 3
