"""IP fragments put together again, as far as a box bothers to: RFC 791, 3.2 and RFC 8200, 4.5.

Bounded in fragments of a datagram, in datagrams, and in time. What a box does with a fragment it cannot use is
not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from middlebox.ability import Overlap
from middlebox.packet import PacketView

#: the longest datagram (16 bits of total length)
MAX_DATAGRAM = 65_535

_Key = tuple[bytes, bytes, int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """What came of one fragment."""

    datagram: bytes | None  #: the whole datagram, unfragmented, if this was the last missing piece
    words: str  #: for people


class _Gathering:
    """The pieces of one datagram."""

    __slots__ = ("begin_ns", "count", "data", "head", "proto", "ranges", "size")

    def __init__(self, begin_ns: int) -> None:
        self.begin_ns = begin_ns
        self.count = 0
        self.data = bytearray()
        self.ranges: list[tuple[int, int]] = []  # which bytes of `data` have come: sorted, apart from each other
        self.size = -1  # bytes of the whole, once the last fragment has come
        self.head = b""  # the first fragment's header
        self.proto = 0  # what the first fragment says it carries


class Reassembly:
    """The datagrams of one box that are still in pieces."""

    __slots__ = ("_gathering", "_max_datagrams", "_max_fragments", "_overlap", "_timeout_ns", "evicted", "refused")

    def __init__(self, *, max_fragments: int, max_datagrams: int, timeout_ns: int, overlap: Overlap) -> None:
        self._gathering: dict[_Key, _Gathering] = {}
        self._max_fragments = max_fragments
        self._max_datagrams = max_datagrams
        self._timeout_ns = timeout_ns
        self._overlap = overlap
        self.evicted = 0  #: datagrams given up for want of room or time
        self.refused = 0  #: datagrams given up for too many, overlapping or impossible fragments

    def __len__(self) -> int:
        return len(self._gathering)

    def add(self, view: PacketView, now_ns: int) -> Piece:
        """Take a fragment; the times of later calls never go back."""
        self._forget(now_ns)
        # IPv4 tells datagrams apart by protocol too; in IPv6 later fragments need not name it (RFC 8200, 4.5)
        key = (view.src, view.dst, view.ip_id, view.proto if view.version == 4 else 0)
        one = self._gathering.get(key)
        if one is None:
            while len(self._gathering) >= self._max_datagrams:
                del self._gathering[next(iter(self._gathering))]
                self.evicted += 1
            one = self._gathering[key] = _Gathering(now_ns)
        one.count += 1
        if one.count > self._max_fragments:
            return self._refuse(key, f"more than {self._max_fragments} of one datagram: given up")
        body = view.raw[view.header_end : view.total]
        begin, end = view.fragment_offset, view.fragment_offset + len(body)
        if end > MAX_DATAGRAM:
            return self._refuse(key, "it would end beyond the longest datagram: given up")
        if not view.more_fragments:
            if one.size not in (-1, end):
                return self._refuse(key, "two fragments claim to be the last: given up")
            one.size = end
        if begin == 0:
            one.head = view.raw[: view.header_end]
            one.proto = view.proto
        if not self._place(one, begin, body):
            return self._refuse(key, "overlapping fragments: given up")
        if one.size < 0 or not one.head or one.ranges != [(0, one.size)]:
            return Piece(None, "others of its datagram are missing")
        del self._gathering[key]
        return Piece(_whole(view.version, one), "whole")

    def _forget(self, now_ns: int) -> None:
        while self._gathering:
            key = next(iter(self._gathering))
            if now_ns - self._gathering[key].begin_ns <= self._timeout_ns:
                break
            del self._gathering[key]
            self.evicted += 1

    def _refuse(self, key: _Key, words: str) -> Piece:
        self._gathering.pop(key, None)
        self.refused += 1
        return Piece(None, words)

    def _place(self, one: _Gathering, begin: int, body: bytes) -> bool:
        """Write a piece by the rule for overlaps; False if the rule is to give up."""
        end = begin + len(body)
        if not body:
            return True
        if len(one.data) < end:
            one.data += bytes(end - len(one.data))
        at = begin
        merged_begin, merged_end = begin, end
        merged: list[tuple[int, int]] = []
        if self._overlap is Overlap.LAST:
            one.data[begin:end] = body
        for low, high in one.ranges:
            shared = max(low, begin) < min(high, end)
            if shared and self._overlap is Overlap.STRICT:
                return False  # as Linux does since RFC 5722
            if shared and self._overlap is Overlap.FIRST:
                if low > at:
                    one.data[at:low] = body[at - begin : low - begin]
                at = max(at, high)
            if high < begin or low > end:
                merged.append((low, high))
            else:
                merged_begin, merged_end = min(merged_begin, low), max(merged_end, high)
        if self._overlap is not Overlap.LAST and at < end:
            one.data[at:end] = body[at - begin :]
        merged.append((merged_begin, merged_end))
        merged.sort()
        one.ranges = merged
        return True


def _whole(version: int, one: _Gathering) -> bytes:
    """The datagram without its marks of fragmentation; the IPv4 header's checksum made anew."""
    from middlebox.checksum import checksum

    body = bytes(one.data[: one.size])
    if version == 6:
        # the fragment header is the last one before the body: leave it out and name what it named (RFC 8200, 4.5)
        before = bytearray(one.head[:-8])
        at, following = 6, before[6]
        position = 40
        while position < len(before) and following != 44:
            at, following = position, before[position]
            position += (before[position + 1] + 1) * 8
        before[at] = one.proto
        length = len(before) - 40 + len(body)
        return bytes(before[:4]) + min(length, MAX_DATAGRAM).to_bytes(2, "big") + bytes(before[6:]) + body
    total = min(len(one.head) + len(body), MAX_DATAGRAM)
    head = one.head[:2] + total.to_bytes(2, "big") + one.head[4:6] + b"\0\0" + one.head[8:10] + b"\0\0" + one.head[12:]
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body
