"""How long round trips take, and how long to wait before sending again (RFC 6298 as Linux does it).

Times in nanoseconds. Linux keeps the variance at 200 ms or more, and lets it fall only once a round trip: so the
timeout is never below a round trip and 200 ms, which is more than RFC 6298's formula with a floor of 200 ms gives.
"""

from __future__ import annotations

MS = 1_000_000
#: Linux: TCP_RTO_MIN, TCP_RTO_MAX and TCP_TIMEOUT_INIT (RFC 6298, 2.1)
RTO_MIN_NS, RTO_MAX_NS, FIRST_RTO_NS = 200 * MS, 120_000 * MS, 1_000 * MS


class RoundTrips:
    """The estimator of one connection."""

    __slots__ = ("_deviation8", "_deviation_max", "_next_number", "_variance", "least_ns", "rto_ns", "smoothed_ns")

    def __init__(self) -> None:
        self.smoothed_ns = 0  #: 0: nothing was measured yet
        self.least_ns = 0
        self.rto_ns = FIRST_RTO_NS
        self._deviation8 = 0  # four times the mean deviation, as Linux scales it
        self._deviation_max = 0  # its largest value in this round trip
        self._variance = 0
        self._next_number = 0  # when this is acknowledged, a round trip is over

    def take(self, sample_ns: int, acknowledged: int, next_number: int) -> None:
        """Take one measured round trip; `acknowledged` and `next_number` tell where the connection stands."""
        sample_ns = max(1, sample_ns)
        if not self.least_ns or sample_ns < self.least_ns:
            self.least_ns = sample_ns
        if not self.smoothed_ns:
            self.smoothed_ns = sample_ns
            self._deviation8 = 2 * sample_ns
            self._variance = self._deviation_max = max(self._deviation8, RTO_MIN_NS)
            self._next_number = next_number
        else:
            error = sample_ns - self.smoothed_ns
            self.smoothed_ns += error // 8
            # a shorter round trip than usual is no reason to wait longer: it counts an eighth as much
            change = abs(error) - self._deviation8 // 4
            if error < 0 and change > 0:
                change //= 8
            self._deviation8 += change
            if self._deviation8 > self._deviation_max:
                self._deviation_max = self._deviation8
                if self._deviation_max > self._variance:
                    self._variance = self._deviation_max
            if acknowledged > self._next_number:
                if self._deviation_max < self._variance:
                    self._variance -= (self._variance - self._deviation_max) // 4
                self._next_number = next_number
                self._deviation_max = RTO_MIN_NS
        self.rto_ns = min(self.smoothed_ns + self._variance, RTO_MAX_NS)

    def back_off(self) -> None:
        """A timeout has come: wait twice as long for the next (RFC 6298, 5.5)."""
        self.rto_ns = min(2 * self.rto_ns, RTO_MAX_NS)

    def restore(self) -> None:
        """Something was acknowledged: the timeout is the measured one again."""
        if self.smoothed_ns:
            self.rto_ns = min(self.smoothed_ns + self._variance, RTO_MAX_NS)
