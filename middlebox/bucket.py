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

    def take(self, size: int, now_ns: int) -> bool:
        """True if a packet of `size` bytes conforms."""
        if now_ns > self._last_ns:
            self._tokens = min(self._capacity, self._tokens + (now_ns - self._last_ns) * self._rate)
            self._last_ns = now_ns
        cost = size * SECOND_NS
        if cost > self._tokens:
            return False
        self._tokens -= cost
        return True


class Shaper:
    """A queue that is served at a rate, first come first served; what finds it full is lost (drop-tail)."""

    __slots__ = ("_busy_until", "_leaving", "_limit", "_rate")

    def __init__(self, *, rate: int, limit: int) -> None:
        """`rate` in bytes a second; `limit`: packets that may wait, the one in service included."""
        if rate <= 0 or limit <= 0:
            raise ValueError(f"a rate of {rate} byte/s with a queue of {limit} packets: both must be above 0")
        self._rate = rate
        self._limit = limit
        self._busy_until = 0  # nanoseconds times `rate`: when the last packet has left, without rounding
        self._leaving: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._leaving)

    def enqueue(self, size: int, now_ns: int) -> int | None:
        """When a packet of `size` bytes that comes now has left, rounded up to a nanosecond; None: it is lost."""
        while self._leaving and self._leaving[0] <= now_ns:
            self._leaving.popleft()
        if len(self._leaving) >= self._limit:
            return None
        self._busy_until = max(self._busy_until, now_ns * self._rate) + size * SECOND_NS
        leaves = -(-self._busy_until // self._rate)
        self._leaving.append(leaves)
        return leaves
