"""Rates without floating point: a policer that drops what is above its rate, and a shaper that delays it.

Both keep exact integers (bytes times nanoseconds), so that no rate from bytes a second to gigabits drifts, and the
same packets at the same times always meet the same fate. They hold no packets; `striking` does.
"""

from __future__ import annotations

from collections import deque

#: one second, in the clock's unit
SECOND_NS = 1_000_000_000


class Policer:
    """A token bucket (RFC 2697, 3: one rate, one burst): a packet that finds too few tokens is lost, and takes none."""

    __slots__ = ("_capacity", "_last_ns", "_rate", "_tokens")

    def __init__(self, *, rate: int, burst: int, now_ns: int) -> None:
        """`rate` in bytes a second, `burst` in bytes; the bucket is full at first."""
        if rate <= 0 or burst <= 0:
            raise ValueError(f"a rate of {rate} byte/s with a burst of {burst} bytes: both must be above 0")
        self._rate = rate
        self._capacity = burst * SECOND_NS
        self._tokens = self._capacity
        self._last_ns = now_ns

    def change(self, rate: int, now_ns: int) -> None:
        """Fill at another rate from now on; what is in the bucket stays."""
        self._fill(now_ns)
        self._rate = rate

    def _fill(self, now_ns: int) -> None:
        if now_ns > self._last_ns:
            self._tokens = min(self._capacity, self._tokens + (now_ns - self._last_ns) * self._rate)
            self._last_ns = now_ns

    def take(self, size: int, now_ns: int) -> bool:
        """True if a packet of `size` bytes conforms."""
        self._fill(now_ns)
        cost = size * SECOND_NS
        if cost > self._tokens:
            return False
        self._tokens -= cost
        return True


class Shaper:
    """A queue that is served at a rate, first come first served; what finds it full is lost (drop-tail)."""

    __slots__ = ("_busy_until", "_bytes", "_leaving", "_limit", "_limit_bytes", "_rate")

    def __init__(self, *, rate: int, limit: int = 0, limit_bytes: int = 0) -> None:
        """`rate` in bytes a second; what may wait, the packet in service included: `limit` packets or `limit_bytes`.

        A limit of 0 is none; a packet that finds nothing waiting is always taken.
        """
        if rate <= 0 or limit < 0 or limit_bytes < 0 or not (limit or limit_bytes):
            raise ValueError(
                f"a rate of {rate} byte/s with a queue of {limit} packets or {limit_bytes} bytes: both must be above 0"
            )
        self._rate = rate
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._busy_until = 0  # nanoseconds times `rate`: when the last packet has left, without rounding
        self._leaving: deque[tuple[int, int]] = deque()  # when each has left, and its size
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._leaving)

    def change(self, rate: int) -> None:
        """Serve what comes from now on at another rate; what waits already leaves as it was told."""
        self._busy_until = -(-self._busy_until * rate // self._rate)
        self._rate = rate

    def enqueue(self, size: int, now_ns: int) -> int | None:
        """When a packet of `size` bytes that comes now has left, rounded up to a nanosecond; None: it is lost."""
        leaving = self._leaving
        while leaving and leaving[0][0] <= now_ns:
            self._bytes -= leaving.popleft()[1]
        if leaving:
            if self._limit and len(leaving) >= self._limit:
                return None
            if self._limit_bytes and self._bytes + size > self._limit_bytes:
                return None
        self._busy_until = max(self._busy_until, now_ns * self._rate) + size * SECOND_NS
        leaves = -(-self._busy_until // self._rate)
        leaving.append((leaves, size))
        self._bytes += size
        return leaves
