"""What has arrived, put in order again, whatever came twice, too early or over something else (RFC 9293, 3.10.7.4).

It sends nothing. Where two segments overlap, the one that begins earlier is believed, as in Linux; of two that begin at
the same place and differ in length, the longer one. Numbers do not wrap.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter

#: ranges that a receiver remembers to tell of, and SACK blocks that fit beside timestamps (RFC 2018, 3)
_RANGES, BLOCKS = 4, 3

Range = tuple[int, int]

_begin = itemgetter(0)


class Reassembly:
    """The receiving half's bytes."""

    __slots__ = ("_early", "_ranges", "buffered", "next_number", "twice")

    def __init__(self, next_number: int) -> None:
        self.next_number = next_number  #: all before this has arrived and was handed out
        self.buffered = 0  #: bytes that came too early
        self.twice: Range | None = None  #: what came although it was there already, to be told once (RFC 2883)
        self._early: list[tuple[int, int, bytes]] = []  # by where they begin; a later one may begin inside an earlier
        self._ranges: list[Range] = []  # of what came too early, the newest first

    @property
    def missing(self) -> bool:
        """Something is missing before bytes that have arrived."""
        return bool(self._early)

    def take(self, seq: int, data: bytes) -> bytes:
        """Take the bytes from `seq` on, and return what is in order now."""
        end = seq + len(data)
        if end <= self.next_number:
            self.twice = (seq, end)
            return b""
        if seq > self.next_number:
            self._keep(seq, end, data)
            return b""
        if seq < self.next_number:
            self.twice = (seq, self.next_number)
            data = data[self.next_number - seq :]
        self.next_number = end
        if not self._early:
            return data
        return data + self._drain()

    def blocks(self) -> tuple[Range, ...]:
        """The SACK blocks of the next acknowledgement; what came twice is told once, and first."""
        twice, self.twice = self.twice, None
        if twice is None:
            return tuple(self._ranges[:BLOCKS])
        return (twice, *self._ranges[: BLOCKS - 1])

    @property
    def highest(self) -> int:
        """Behind the last byte that has arrived."""
        return max((end for _, end in self._ranges), default=self.next_number)

    def _drain(self) -> bytes:
        """Take out what has come into order."""
        early = self._early
        parts: list[bytes] = []
        count = 0
        for begin, end, data in early:
            if begin > self.next_number:
                break
            count += 1
            self.buffered -= len(data)
            if end > self.next_number:
                parts.append(data[self.next_number - begin :])
                self.next_number = end
        del early[:count]
        self._ranges = [one for one in self._ranges if one[1] > self.next_number]
        return b"".join(parts)

    def _keep(self, seq: int, end: int, data: bytes) -> None:
        """Keep bytes that came too early."""
        early = self._early
        index = bisect_right(early, seq, key=_begin)
        if index and early[index - 1][1] >= end:  # all of it is there already
            self.twice = (seq, end)
            return
        if index and early[index - 1][0] == seq:
            index -= 1
        after = index
        while after < len(early) and early[after][1] <= end:  # it covers these
            self.buffered -= len(early[after][2])
            after += 1
        early[index:after] = [(seq, end, data)]
        self.buffered += len(data)
        begin = seq
        others = []
        for first, last in self._ranges:
            if last < begin or first > end:
                others.append((first, last))
            else:
                begin, end = min(begin, first), max(end, last)
        self._ranges = [(begin, end), *others][:_RANGES]
