"""When an acknowledgement is sent: at once, with the second segment, or after 40 ms (RFC 5681, 4.2; Linux's rules).

It sends nothing itself. Linux acknowledges everything at once at first, so that a slow start goes on fast; what is
behind a gap at once, from the third on at most once a millisecond; and waits when the other direction is likely to
carry the acknowledgement along.
"""

from __future__ import annotations

from collections.abc import Callable

from testbed.simulate.clock import Clock
from testbed.simulate.tcp.round_trips import MS, RoundTrips
from testbed.simulate.tcp.timer import Timer

#: Linux: TCP_ATO_MIN, TCP_DELACK_MAX, TCP_MAX_QUICKACKS
LEAST_NS, MOST_NS, QUICK = 40 * MS, 200 * MS, 16
#: Linux: tcp_comp_sack_delay_ns, tcp_comp_sack_nr, and duplicate acknowledgements that are sent at once all the same
_COMPRESS_NS, _COMPRESS_MOST, _AT_ONCE = 1 * MS, 44, 3


class Acknowledging:
    """The receiving half's acknowledgements."""

    __slots__ = (
        *("_answering", "_clock", "_compressed", "_duplicates", "_expect_ns", "_largest", "_last_ns", "_quick"),
        *("_round_trips", "_send", "_timer", "_told_at_gap"),
        "told",
    )

    def __init__(self, clock: Clock, round_trips: RoundTrips, send: Callable[[], None]) -> None:
        self.told = 0  #: the last number that was acknowledged
        self._clock = clock
        self._round_trips = round_trips
        self._send = send
        self._timer = Timer(clock, self._ring)
        self._expect_ns = 0  # how soon the next segment is expected; 0: none came yet
        self._last_ns = 0
        self._quick = 0  # acknowledgements that are still sent at once
        self._answering = False  # the program answers what it gets, so its answer will carry the acknowledgement
        self._largest = 536  # the largest segment so far, from RFC 9293's default on
        self._told_at_gap = -1
        self._duplicates = 0
        self._compressed = 0

    def on_sent(self, number: int, data: int) -> None:
        """A segment with this acknowledgement has left, and so many bytes of data with it."""
        self.told = number
        self._compressed = 0
        self._timer.stop()
        if self._quick:
            self._quick -= 1
        if data and self._clock.now_ns - self._last_ns < self._expect_ns:
            self._answering = True

    def hurry(self) -> None:
        """Acknowledge at once for a while: something came twice, or out of the window."""
        self._quick = max(self._quick, QUICK)
        self._answering = False
        self._expect_ns = LEAST_NS

    def on_data(self, number: int, size: int, *, missing: bool, closed: bool) -> None:
        """Data has come. `number`: what comes next; `missing`: there is a gap; `closed`: there is none any more."""
        now_ns = self._clock.now_ns
        gap_ns = now_ns - self._last_ns
        self._last_ns = now_ns
        if not self._expect_ns:
            self._quick = QUICK
            self._expect_ns = LEAST_NS
        elif gap_ns <= LEAST_NS // 2:
            self._expect_ns = self._expect_ns // 2 + LEAST_NS // 2
        elif gap_ns < self._expect_ns:
            self._expect_ns = min(self._expect_ns // 2 + gap_ns, self._round_trips.rto_ns)
        elif gap_ns > self._round_trips.rto_ns:
            self._quick = QUICK  # so long a pause: the sender may begin its window anew
        small = size < self._largest
        self._largest = max(self._largest, size)
        if closed or number - self.told > self._largest or (self._quick and not self._answering):
            self._send()
        elif missing:
            self._behind_gap(number)
        elif small and not self._answering:
            self._send()  # the program reads it at once, and what is less than full is acknowledged when read
        else:
            self._delay(now_ns)

    def stop(self) -> None:
        self._timer.stop()

    def _delay(self, now_ns: int) -> None:
        wait_ns = self._expect_ns
        if wait_ns > LEAST_NS:
            most_ns = MOST_NS if self._answering else 500 * MS
            if self._round_trips.smoothed_ns:
                most_ns = min(most_ns, max(self._round_trips.smoothed_ns, LEAST_NS))
            wait_ns = min(wait_ns, most_ns)
        due_ns = self._timer.due_ns
        if due_ns is not None and due_ns <= now_ns + wait_ns // 4:
            self._send()
        elif due_ns is None or due_ns > now_ns + wait_ns:
            self._timer.set(now_ns + wait_ns)

    def _behind_gap(self, number: int) -> None:
        if self._told_at_gap != number:
            self._told_at_gap = number
            self._duplicates = 0
        if self._duplicates < _AT_ONCE or self._compressed >= _COMPRESS_MOST:
            self._duplicates += 1
            self._send()
            return
        self._compressed += 1
        if self._compressed == 1:
            rtt_ns = self._round_trips.smoothed_ns
            self._timer.set(self._clock.now_ns + (min(_COMPRESS_NS, rtt_ns // 20) if rtt_ns else _COMPRESS_NS))

    def _ring(self) -> None:
        if self._compressed:
            self._send()
            return
        if self._answering:
            self._answering = False
            self._expect_ns = LEAST_NS
        else:
            self._expect_ns = min(2 * self._expect_ns, self._round_trips.rto_ns)
        self._send()
