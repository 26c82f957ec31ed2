"""Segmentation offload as far as it can be seen on the wire: a single segment is kept back until two can leave.

Linux hands segments to its network cards by twos and more, and would rather wait for the next acknowledgement than send
one alone (tcp_tso_should_defer). So windows leave in slightly larger bursts, which a small bucket notices. More than
two at once are only made above some 20 Mbit/s, and are not made here.
"""

from __future__ import annotations

from typing import Protocol

from testbed.simulate.clock import Clock
from testbed.simulate.tcp.congestion import Window
from testbed.simulate.tcp.recovery import Recovery, State
from testbed.simulate.tcp.round_trips import MS, RoundTrips
from testbed.simulate.tcp.scoreboard import Scoreboard

#: only who has just sent waits: else bursts would be gathered that nothing asks for
_RECENT_NS = 1 * MS
#: segments that leave together, and the share of the window that is never kept back (tcp_tso_win_divisor)
_TOGETHER, _SHARE = 2, 3


class Paired(Protocol):
    """Whose segments leave by twos; `sender.Sender` is one."""

    mss: int
    recovery: Recovery
    round_trips: RoundTrips
    scores: Scoreboard
    window: Window
    last_sent_ns: int


class Pairing:
    """The habit of one sender."""

    __slots__ = ("_clock", "_sender")

    def __init__(self, clock: Clock, sender: Paired) -> None:
        self._clock = clock
        self._sender = sender

    def holds(self, unsent: int, count: int) -> bool:
        """True if the next segment waits for another; `count`: so many have left in this burst."""
        sender, now_ns = self._sender, self._clock.now_ns
        if count % _TOGETHER or unsent <= sender.mss or now_ns - sender.last_sent_ns > _RECENT_NS:
            return False
        room = sender.window.packets - len(sender.scores.in_flight)
        if room >= _TOGETHER or room * _SHARE >= sender.window.packets:
            return False
        queue = sender.scores.queue
        if not queue or sender.recovery.state in (State.RECOVERY, State.LOSS):
            return False
        # an acknowledgement that is still half a round trip away is too long to wait for
        return now_ns - queue[0].sent_ns >= sender.round_trips.smoothed_ns // 2
