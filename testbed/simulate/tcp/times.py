"""The timestamps of a connection's segments (RFC 7323): in milliseconds, from a beginning of its own.

It measures no round trips; who sent what when is told by the numbers that come back.
"""

from __future__ import annotations

from random import Random

from testbed.simulate.clock import Clock
from testbed.simulate.tcp.round_trips import MS
from testbed.simulate.tcp.segment import MASK, unwrapped


class Times:
    """The timestamps of one end."""

    __slots__ = ("_clock", "_offset", "recent", "used")

    def __init__(self, clock: Clock, random: Random, *, used: bool) -> None:
        self.used = used  #: both ends send them, as far as is known
        self.recent = 0  #: what the other end sent last, to be echoed
        self._clock = clock
        self._offset = random.getrandbits(32)

    def stamp(self) -> tuple[int, int] | None:
        """TSval and TSecr of a segment that leaves now; None without timestamps."""
        if not self.used:
            return None
        return (self._clock.now_ns // MS + self._offset) & MASK, self.recent

    def is_old(self, value: int) -> bool:
        """Older than what came before it (RFC 7323, 5.3)."""
        return unwrapped(value, self.recent) < self.recent

    def sent_ns(self, echo: int) -> int:
        """When the packet was sent that is answered with this echo, to the millisecond; -1 if it is not known."""
        if not echo or not self.used:
            return -1
        return (unwrapped(echo, self._clock.now_ns // MS + self._offset) - self._offset) * MS
