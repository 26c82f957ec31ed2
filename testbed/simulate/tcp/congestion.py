"""How the congestion window grows and shrinks: Reno (RFC 5681) and CUBIC (RFC 9438) with HyStart, as Linux does it.

In whole packets. What is lost and when that is noticed is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: no threshold was met yet
INFINITE = 0x7FFF_FFFF
#: RFC 6928
FIRST_WINDOW = 10

_SECOND = 1_000_000_000
_MS = 1_000_000
#: RFC 9438: C and beta; Linux's beta is 717/1024
_C, _BETA, _BETA_SCALE = 0.4, 717, 1_024
#: HyStart: from this window on; ACKs this near form a train; round trips that are asked for a delay
_LOW_WINDOW, _TRAIN_NS, _SAMPLES = 16, 2 * _MS, 8


class Window:
    """The congestion window of one connection and its threshold."""

    __slots__ = ("_limited", "_most", "_usage_end", "count", "packets", "threshold")

    def __init__(self) -> None:
        self.packets = FIRST_WINDOW
        self.threshold = INFINITE
        self.count = 0  #: packets acknowledged since the window last grew by one
        self._limited = False  # the window was what held sending up
        self._most = 0  # packets under way at most in this round trip
        self._usage_end = 0

    @property
    def starts_slowly(self) -> bool:
        return self.packets < self.threshold

    def note_use(self, una: int, next_number: int, under_way: int, limited: bool) -> None:
        """Remember whether the window holds sending up; only then may it grow (RFC 7661's aim, Linux's rule)."""
        if una >= self._usage_end or limited or (not self._limited and under_way > self._most):
            self._limited = limited
            self._most = under_way
            self._usage_end = next_number

    @property
    def in_use(self) -> bool:
        return self._limited or (self.starts_slowly and self.packets < 2 * self._most)

    def restart(self, idle_ns: int, rto_ns: int) -> None:
        """After silence the window is halved for each timeout that has passed (RFC 2861)."""
        self.threshold = max(self.threshold, self.packets * 3 // 4)
        least = min(FIRST_WINDOW, self.packets)
        while idle_ns > rto_ns and self.packets > least:
            self.packets >>= 1
            idle_ns -= rto_ns
        self.packets = max(self.packets, least)

    def start_slowly(self, acked: int) -> int:
        """Grow by what was acknowledged, up to the threshold; return what is left of that."""
        grown = min(self.packets + acked, self.threshold)
        left = acked - (grown - self.packets)
        self.packets = grown
        return left

    def avoid(self, per: int, acked: int) -> None:
        """Grow by one for each `per` packets that were acknowledged."""
        if self.count >= per:
            self.count = 0
            self.packets += 1
        self.count += acked
        if self.count >= per:
            grown = self.count // per
            self.count -= grown * per
            self.packets += grown


class Congestion(Protocol):
    """One way to grow and shrink."""

    def on_acked(self, window: Window, acked: int, now_ns: int) -> None:
        """So many packets were acknowledged while nothing was missing and the window was in use."""

    def threshold(self, window: Window) -> int:
        """The threshold after a loss."""

    def on_round_trip(self, window: Window, sample_ns: int, now_ns: int, acknowledged: int, next_number: int) -> None:
        """A round trip was measured by an acknowledgement."""

    def on_timeout(self) -> None:
        """The retransmission timer has gone off."""

    def on_idle_end(self, now_ns: int, idle_ns: int) -> None:
        """The first packet after a time with nothing outstanding."""


class Reno:
    """One packet more each round trip, half of them after a loss."""

    name = "reno"

    def on_acked(self, window: Window, acked: int, now_ns: int) -> None:
        if window.starts_slowly:
            acked = window.start_slowly(acked)
            if not acked:
                return
        window.avoid(window.packets, acked)

    def threshold(self, window: Window) -> int:
        return max(window.packets >> 1, 2)

    def on_round_trip(self, window: Window, sample_ns: int, now_ns: int, acknowledged: int, next_number: int) -> None:
        pass

    def on_timeout(self) -> None:
        pass

    def on_idle_end(self, now_ns: int, idle_ns: int) -> None:
        pass


class Cubic:
    """A cubic of the time since the last loss, never slower than Reno would be."""

    name = "cubic"

    def __init__(self) -> None:
        self.on_timeout()

    def on_timeout(self) -> None:
        self._per = 0  # packets for one more
        self._last_max = 0.0
        self._last_window = 0
        self._last_ns = 0
        self._epoch_ns = 0
        self._origin = 0.0
        self._k = 0.0  # seconds from the epoch to the plateau
        self._least_ns = 0
        self._acked = 0
        self._reno = 0  # what Reno's window would be
        self._found = False  # HyStart has ended the slow start
        self._round_ns = self._train_ns = 0
        self._round_end = 0
        self._round_least_ns = 0
        self._samples = 0

    def on_acked(self, window: Window, acked: int, now_ns: int) -> None:
        if window.starts_slowly:
            acked = window.start_slowly(acked)
            if not acked:
                return
        self._update(window.packets, acked, now_ns)
        window.avoid(self._per, acked)

    def threshold(self, window: Window) -> int:
        packets = window.packets
        self._epoch_ns = 0
        # fast convergence (RFC 9438, 4.7)
        self._last_max = packets * (_BETA_SCALE + _BETA) // (2 * _BETA_SCALE) if packets < self._last_max else packets
        return max(packets * _BETA // _BETA_SCALE, 2)

    def on_idle_end(self, now_ns: int, idle_ns: int) -> None:
        if self._epoch_ns and idle_ns > 0:  # time without anything to send is no time to grow
            self._epoch_ns = min(self._epoch_ns + idle_ns, now_ns)

    def _update(self, packets: int, acked: int, now_ns: int) -> None:
        self._acked += acked
        if self._last_window == packets and now_ns - self._last_ns <= _SECOND // 32:
            return
        self._last_window = packets
        self._last_ns = now_ns
        if not self._epoch_ns:
            self._epoch_ns = now_ns
            self._acked = acked
            self._reno = packets
            if self._last_max <= packets:
                self._k = 0.0
                self._origin = packets
            else:
                self._k = ((self._last_max - packets) / _C) ** (1 / 3)
                self._origin = self._last_max
        elapsed = (now_ns - self._epoch_ns + self._least_ns) / _SECOND
        target = self._origin + _C * (elapsed - self._k) ** 3
        per = int(packets / (target - packets)) if target > packets + 0.01 else 100 * packets
        if not self._last_max:
            per = min(per, 20)
        # the window that Reno would have by now (RFC 9438, 4.3), with Linux's rounded factor
        each = max(1, packets * 15 >> 3)
        while self._acked > each:
            self._acked -= each
            self._reno += 1
        if self._reno > packets:
            per = min(per, packets // (self._reno - packets))
        self._per = max(per, 2)

    def on_round_trip(self, window: Window, sample_ns: int, now_ns: int, acknowledged: int, next_number: int) -> None:
        if self._epoch_ns and now_ns - self._epoch_ns < _SECOND:
            return  # round trips right after a recovery tell of the queue before it
        if not self._least_ns or sample_ns < self._least_ns:
            self._least_ns = sample_ns
        if not self._found and window.starts_slowly and window.packets >= _LOW_WINDOW:
            self._hystart(window, sample_ns, now_ns, acknowledged, next_number)

    def _hystart(self, window: Window, sample_ns: int, now_ns: int, acknowledged: int, next_number: int) -> None:
        """End the slow start when a train of acknowledgements is half a round trip long, or round trips grow."""
        if acknowledged > self._round_end:
            self._round_ns = self._train_ns = now_ns
            self._round_end = next_number
            self._round_least_ns = 0
            self._samples = 0
        if now_ns - self._train_ns <= _TRAIN_NS:
            self._train_ns = now_ns
            if now_ns - self._round_ns > (self._least_ns + _MS) // 2:
                self._found = True
        if not self._round_least_ns or sample_ns < self._round_least_ns:
            self._round_least_ns = sample_ns
        if self._samples < _SAMPLES:
            self._samples += 1
        elif self._round_least_ns > self._least_ns + min(max(self._least_ns // 8, 4 * _MS), 16 * _MS):
            self._found = True
        if self._found:
            window.threshold = window.packets


#: the ways that can be asked for by name
CONTROLS: dict[str, Callable[[], Congestion]] = {"cubic": Cubic, "reno": Reno}
