"""How large a window a receiver tells: it grows with what a program reads in a round trip, as Linux's tuning does it.

Until a program has read more than ten segments in a round trip, no more than the first window is under way; behind a
slow policer that bounds how many packets are lost at once. It sends nothing.
"""

from __future__ import annotations

from testbed.simulate.tcp.round_trips import RoundTrips
from testbed.simulate.tcp.settings import Settings

#: Linux: the first measure (TCP_INIT_CWND), and what is added to twice of what was read, in segments
_FIRST_SEGMENTS, _EXTRA_SEGMENTS = 10, 16
#: segments by which the window grows for each that comes in order (tcp_grow_window)
_EACH = 2


class Tuning:
    """The receive buffer of one end."""

    __slots__ = ("_clamp", "_measured_ns", "_most", "_read", "_round_trips", "_space", "limit")

    def __init__(self, settings: Settings, round_trips: RoundTrips) -> None:
        self.limit = settings.first_window  #: bytes that may come and not be read
        self._clamp = self.limit
        self._most = settings.most_window
        self._round_trips = round_trips
        self._read = 0  # bytes read since the last measure
        self._measured_ns = 0
        self._space = 0  # the most that was read in a round trip

    def on_arrival(self, segment: int) -> None:
        """A segment has come in order; `segment`: the bytes of a full one."""
        if self.limit < self._clamp:
            self.limit = min(self.limit + _EACH * segment, self._clamp)

    def on_read(self, size: int, segment: int, now_ns: int) -> None:
        """A program has read so many bytes (tcp_rcv_space_adjust)."""
        self._read += size
        if not self._space:
            self._space = _FIRST_SEGMENTS * segment
            self._measured_ns = now_ns
        rtt_ns = self._round_trips.smoothed_ns
        if not rtt_ns or now_ns - self._measured_ns < rtt_ns:
            return
        if self._read > self._space:
            window = 2 * self._read + _EXTRA_SEGMENTS * segment
            window += 2 * window * (self._read - self._space) // self._space
            self._clamp = max(self._clamp, min(window, self._most))
            self._space = self._read
        self._read = 0
        self._measured_ns = now_ns
