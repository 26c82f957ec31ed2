"""Pacing: a window is spread over the round trip instead of leaving in bursts, as under Linux's fq queue.

Optional: Linux paces neither Reno nor CUBIC by itself. It decides when a segment may leave, and nothing else.
"""

from __future__ import annotations

from typing import Protocol

from testbed.simulate.clock import Clock
from testbed.simulate.tcp.congestion import Window
from testbed.simulate.tcp.round_trips import MS, RoundTrips
from testbed.simulate.tcp.scoreboard import Scoreboard
from testbed.simulate.tcp.timer import Timer

#: percent of what the window gives in a round trip: until half of the threshold, and later (Linux: tcp_pacing_*_ratio)
_FAST, _SLOW = 200, 120


class Paced(Protocol):
    """What is paced; `sender.Sender` is one."""

    mss: int
    round_trips: RoundTrips
    scores: Scoreboard
    window: Window

    def push(self) -> None: ...


class Pacing:
    """The pace of one sender."""

    __slots__ = ("_clock", "_next_ns", "_sender", "_timer")

    def __init__(self, clock: Clock, sender: Paced) -> None:
        self._clock = clock
        self._sender = sender
        self._next_ns = 0
        self._timer = Timer(clock, sender.push)

    def may_leave(self, size: int) -> bool:
        """True if a segment of so many bytes leaves now; else the sender is called when it may."""
        sender, now_ns = self._sender, self._clock.now_ns
        rtt_ns = sender.round_trips.smoothed_ns
        if not rtt_ns:
            return True
        if self._next_ns > now_ns:
            self._timer.set(self._next_ns)
            return False
        window = sender.window
        share = _FAST if window.packets < window.threshold // 2 else _SLOW
        packets = max(window.packets, len(sender.scores.queue))
        self._next_ns = max(self._next_ns, now_ns - MS) + rtt_ns * 100 * size // (share * packets * sender.mss)
        return True

    def stop(self) -> None:
        self._timer.stop()
