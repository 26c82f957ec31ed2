"""One direction of a TCP connection, put together as well or as badly as the box is able to.

Holds the bytes that have not been read yet, in order, and what has come ahead of a hole; both are bounded.
It does not know protocols, and it does not decide what a gap means.
"""

from __future__ import annotations

from typing import Final

from middlebox.ability import Overlap, Reassembly, Sequence

#: holes that are remembered at once: a reordering network makes a few, an attack as many as it likes
MAX_HOLES: Final = 128

_MASK: Final = 0xFFFF_FFFF
_HALF: Final = 0x8000_0000


def distance(later: int, earlier: int) -> int:
    """Bytes from one sequence number to another, negative if it lies before (RFC 9293, 3.4: modulo 2**32)."""
    return ((later - earlier + _HALF) & _MASK) - _HALF


class Stream:
    """The bytes of one direction.

    `data` holds the contiguous bytes that nobody has consumed; `expected` is the sequence number after its last byte.
    """

    __slots__ = ("_ahead", "_limits", "_ranges", "_sequence", "_unwanted", "broken", "data", "expected", "taken")

    def __init__(self, expected: int, limits: Reassembly, sequence: Sequence) -> None:
        self.expected = expected & _MASK
        self.data = bytearray()
        self.taken = 0  #: contiguous payload bytes so far
        self.broken = False  #: copies of a byte disagreed under `strict`, or a message outgrew the buffer
        self._limits = limits
        self._sequence = sequence
        self._unwanted = 0  # contiguous bytes to come that belong to a message already read
        self._ahead = bytearray()  # bytes from `expected` on, holes included
        self._ranges: list[tuple[int, int]] = []  # which parts of `_ahead` are filled: sorted, apart from each other

    @property
    def waiting(self) -> bool:
        """True if bytes have come ahead of a hole."""
        return bool(self._ranges)

    def move(self, expected: int) -> None:
        """Believe a new sequence number: what has come so far is forgotten."""
        self.expected = expected & _MASK
        self._unwanted = 0
        self.data.clear()
        self._ahead.clear()
        self._ranges.clear()

    def consume(self, count: int) -> None:
        """A message of this many bytes has been read; those of them that are still to come will not be kept."""
        self._unwanted = max(0, count - len(self.data))
        del self.data[:count]

    @property
    def held(self) -> int:
        """Bytes of memory for what has not been read."""
        return len(self.data) + len(self._ahead)

    def add(self, seq: int, payload: bytes) -> bool:
        """Take one segment's payload; True if `data` changed."""
        if self.broken or not payload:
            return False
        if not self._limits.segments:
            return self._alone(seq, payload)
        if seq == self.expected and not self._ranges and len(payload) <= self._limits.window:
            self._append(payload)  # as it mostly is
            return not self.broken
        ahead = distance(seq, self.expected) if self._sequence is not Sequence.ANY else 0
        if self._sequence is Sequence.EXACT and ahead != 0:
            return False
        changed = False
        if ahead < 0:
            changed = self._again(ahead, payload[:-ahead])
            payload = payload[-ahead:]
            ahead = 0
            if self.broken or not payload:
                return changed
        if ahead + len(payload) > self._limits.window:
            payload = payload[: max(0, self._limits.window - ahead)]
            if not payload:
                return changed
        if ahead == 0 and not self._ranges:
            self._append(payload)
            return not self.broken
        self._keep(ahead, payload)
        if self.broken or not self._ranges or self._ranges[0][0] != 0:
            return changed
        count = self._ranges[0][1]
        self._append(bytes(self._ahead[:count]))
        del self._ahead[:count]
        self._ranges = [(begin - count, end - count) for begin, end in self._ranges[1:]]
        return not self.broken

    def _alone(self, seq: int, payload: bytes) -> bool:
        """Without reassembly a segment is all there is to read: it replaces what was read before."""
        if self._sequence is not Sequence.ANY:
            ahead = distance(seq, self.expected)
            if (self._sequence is Sequence.EXACT and ahead != 0) or abs(ahead) > self._limits.window:
                return False
            if ahead + len(payload) > 0:
                self.expected = (seq + len(payload)) & _MASK
        self.data[:] = payload[: self._limits.buffer]
        self.taken += len(payload)
        return True

    def _append(self, payload: bytes) -> None:
        self.expected = (self.expected + len(payload)) & _MASK
        self.taken += len(payload)
        if self._unwanted:
            dropped = min(self._unwanted, len(payload))
            self._unwanted -= dropped
            payload = payload[dropped:]
        if len(self.data) + len(payload) > self._limits.buffer:
            self.broken = True
            self.data.clear()
        else:
            self.data += payload

    def _again(self, ahead: int, old: bytes) -> bool:
        """Bytes that were there before: those that are still unread may count again, by the rule for overlaps."""
        begin = len(self.data) + ahead  # where the segment begins within `data`; negative: before it
        if begin < 0:
            old = old[-begin:]
            begin = 0
        old = old[: len(self.data) - begin]
        if not old or self.data[begin : begin + len(old)] == old:
            return False
        if self._limits.overlap is Overlap.STRICT:
            self.broken = True
            return False
        if self._limits.overlap is Overlap.LAST:
            self.data[begin : begin + len(old)] = old
            return True
        return False

    def _keep(self, begin: int, payload: bytes) -> None:
        """Put a segment beside what waits behind a hole."""
        end = begin + len(payload)
        if len(self._ahead) < end:
            self._ahead += bytes(end - len(self._ahead))
        if self._limits.overlap is Overlap.LAST:
            self._ahead[begin:end] = payload
        else:
            self._fill(begin, payload)
        if self.broken:
            return
        merged: list[tuple[int, int]] = []
        for low, high in self._ranges:
            if high < begin or low > end:
                merged.append((low, high))
            else:  # they touch or overlap: one range
                begin, end = min(low, begin), max(high, end)
        merged.append((begin, end))
        merged.sort()
        if len(merged) > MAX_HOLES:  # forget what is furthest ahead; the sender will send it again
            merged.pop()
            del self._ahead[merged[-1][1] :]
        self._ranges = merged

    def _fill(self, begin: int, payload: bytes) -> None:
        """Write only what no range covers yet; under `strict` a covered byte must be the same."""
        end = begin + len(payload)
        at = begin
        for low, high in self._ranges:
            if high <= at or low >= end:
                continue
            if low > at:
                self._ahead[at:low] = payload[at - begin : low - begin]
            shared, until = max(low, at), min(high, end)
            if (
                self._limits.overlap is Overlap.STRICT
                and self._ahead[shared:until] != payload[shared - begin : until - begin]
            ):
                self.broken = True
                return
            at = max(at, until)
        if at < end:
            self._ahead[at:end] = payload[at - begin :]
