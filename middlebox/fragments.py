"""Puts the fragments of IP datagrams together, within limits, the way that a box does it.

It reads nothing above IP, asks for no fragment again, and holds no packet back: a box that forwards fragments forwards
them as they come. Sources: RFC 791, 3.2; RFC 8200, 4.5; RFC 5722; Ptacek & Newsham 1998, section 5.
"""

from __future__ import annotations

from bisect import bisect_left

from middlebox.ability import Overlap
from middlebox.checksum import checksum
from middlebox.packet import PacketView

#: the largest datagram: IPv4's length field and IPv6's payload length have 16 bits
MAX_DATAGRAM = 65_535
#: bytes of all fragments together (Linux's ipfrag_high_thresh)
MAX_BYTES = 4 * 1024 * 1024

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60

_Key = tuple[bytes, bytes, int, int]


class Result:
    """What came of one fragment."""

    __slots__ = ("datagram", "refused", "words")

    def __init__(self, words: str, *, datagram: bytes | None = None, refused: bool = False) -> None:
        self.words = words  #: for people: "3 fragments so far", "refused: ..."
        self.datagram = datagram  #: the whole as an unfragmented IP packet, if this was the last missing piece
        self.refused = refused  #: this fragment, and all later ones of its datagram, count for nothing


class _Datagram:
    """One datagram in pieces; the pieces do not overlap."""

    __slots__ = ("born_ns", "count", "end", "head", "held", "pieces", "refused")

    def __init__(self, born_ns: int) -> None:
        self.born_ns = born_ns
        self.count = 0
        self.end = -1  # bytes of the whole; -1 while the last fragment has not come
        self.head = b""  # the IP header of the first fragment, made that of the whole
        self.held = 0  # bytes in all pieces
        self.pieces: list[tuple[int, bytes]] = []
        self.refused = False


class _Piece:
    """One fragment as it lies in its datagram."""

    __slots__ = ("data", "head", "last", "start")

    def __init__(self, start: int, data: bytes, last: bool, head: bytes) -> None:
        self.start = start
        self.data = data
        self.last = last
        self.head = head  # what becomes the header of the whole, if this is the first


class Reassembly:
    """All datagrams in pieces that a box has in mind. The oldest goes when there are too many, and is counted."""

    __slots__ = (
        "_bytes",
        "_max_bytes",
        "_max_datagrams",
        "_max_fragments",
        "_open",
        "_overlap",
        "_timeout_ns",
        "completed",
        "evicted",
        "expired",
        "refused",
    )

    def __init__(
        self,
        *,
        max_fragments: int,
        max_datagrams: int,
        timeout_ns: int,
        overlap: Overlap = Overlap.FIRST,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._max_fragments = max_fragments  # of one datagram, copies counted
        self._max_datagrams = max(1, max_datagrams)
        self._timeout_ns = timeout_ns  # since the first of its fragments came
        self._overlap = overlap
        self._max_bytes = max_bytes
        self._open: dict[_Key, _Datagram] = {}  # the oldest first
        self._bytes = 0
        self.completed = 0  #: datagrams that became whole
        self.evicted = 0  #: datagrams that went because there were too many, or too many bytes of them
        self.expired = 0  #: datagrams that went by their age
        self.refused = 0  #: fragments that counted for nothing

    def __len__(self) -> int:
        return len(self._open)

    @property
    def held(self) -> int:
        """Bytes of all fragments that are kept."""
        return self._bytes

    def add(self, seen: PacketView, now_ns: int) -> Result:
        """Take one fragment. Never raises; a packet that is no fragment is refused."""
        self._expire(now_ns)
        piece = _piece4(seen) if seen.version == 4 else _piece6(seen)
        if isinstance(piece, str):
            return self._refuse(piece)
        key = (seen.src, seen.dst, seen.ip_id, seen.proto if seen.version == 4 else -1)
        datagram = self._open.get(key)
        if datagram is None:
            datagram = self._open[key] = _Datagram(now_ns)
            if len(self._open) > self._max_datagrams:
                self._evict()
        if datagram.refused:
            return self._refuse("its datagram has been given up")
        why = self._take(datagram, piece)
        if why:
            self._give_up(datagram)
            return self._refuse(why)
        if datagram.held == datagram.end and datagram.head:
            self._forget(key, datagram)
            return self._whole(datagram, seen.version)
        while self._bytes > self._max_bytes:
            self._evict()
        plural = "s" if datagram.count > 1 else ""
        return Result(f"{datagram.count} fragment{plural} of its datagram so far, {datagram.held} bytes")

    def _take(self, datagram: _Datagram, piece: _Piece) -> str:
        """Place a piece; what is wrong with it, if anything."""
        datagram.count += 1
        if datagram.count > self._max_fragments:
            return f"more than {self._max_fragments} fragments of one datagram"
        end = piece.start + len(piece.data)
        if piece.last:
            if datagram.end >= 0 and datagram.end != end:
                return "two last fragments that disagree about the datagram's length"
            datagram.end = end
        furthest = datagram.pieces[-1] if datagram.pieces else (0, b"")
        reach = max(end, furthest[0] + len(furthest[1]))
        if 0 <= datagram.end < reach:
            return "a fragment that lies beyond the last one"
        if piece.start == 0 and not datagram.head:
            datagram.head = piece.head
        return self._place(datagram, piece.start, piece.data)

    def _place(self, datagram: _Datagram, start: int, data: bytes) -> str:
        """Put bytes where they belong, settling with those that are there already."""
        pieces = datagram.pieces
        end = start + len(data)
        low = bisect_left(pieces, (start,))
        if low and pieces[low - 1][0] + len(pieces[low - 1][1]) > start:
            low -= 1
        high = bisect_left(pieces, (end,), low)
        kept: list[tuple[int, bytes]] = []  # of the pieces that the new bytes overlap
        fresh = [(start, data)]
        for at, old in pieces[low:high]:
            until = at + len(old)
            if self._overlap is Overlap.STRICT:
                first, last = max(at, start), min(until, end)
                if old[first - at : last - at] != data[first - start : last - start]:
                    return "overlapping fragments that disagree"
            if self._overlap is Overlap.LAST:
                if at < start:
                    kept.append((at, old[: start - at]))
                if until > end:
                    kept.append((end, old[end - at :]))
            else:
                kept.append((at, old))
                fresh = _without(fresh, at, until)
        new = sorted([*kept, *fresh])
        held = sum(len(part) for _, part in new) - sum(len(part) for _, part in pieces[low:high])
        pieces[low:high] = new
        datagram.held += held
        self._bytes += held
        return ""

    def _whole(self, datagram: _Datagram, version: int) -> Result:
        body = b"".join(data for _, data in datagram.pieces)
        head = bytearray(datagram.head)
        length = len(body) + (len(head) if version == 4 else len(head) - 40)
        if length > MAX_DATAGRAM:
            return self._refuse("the datagram would be too large for IP")
        if version == 4:
            head[2:4] = length.to_bytes(2, "big")
            head[6:8] = head[10:12] = b"\0\0"
            head[10:12] = checksum(bytes(head)).to_bytes(2, "big")
        else:
            head[4:6] = length.to_bytes(2, "big")
        self.completed += 1
        return Result(f"whole after {datagram.count} fragments", datagram=bytes(head) + body)

    def _refuse(self, why: str) -> Result:
        self.refused += 1
        return Result(f"refused: {why}", refused=True)

    def _give_up(self, datagram: _Datagram) -> None:
        """Keep only the memory that this datagram is refused, so that what still comes of it makes no new one."""
        self._bytes -= datagram.held
        datagram.pieces, datagram.held, datagram.refused = [], 0, True

    def _forget(self, key: _Key, datagram: _Datagram) -> None:
        del self._open[key]
        self._bytes -= datagram.held

    def _evict(self) -> None:
        key = next(iter(self._open))
        self._forget(key, self._open[key])
        self.evicted += 1

    def _expire(self, now_ns: int) -> None:
        while self._open:
            key = next(iter(self._open))
            datagram = self._open[key]
            if now_ns - datagram.born_ns < self._timeout_ns:
                return
            self._forget(key, datagram)
            self.expired += 1


def _without(parts: list[tuple[int, bytes]], low: int, high: int) -> list[tuple[int, bytes]]:
    """The parts with the bytes from `low` to `high` cut out."""
    left: list[tuple[int, bytes]] = []
    for at, data in parts:
        until = at + len(data)
        if until <= low or at >= high:
            left.append((at, data))
            continue
        if at < low:
            left.append((at, data[: low - at]))
        if until > high:
            left.append((high, data[high - at :]))
    return left


def _piece4(seen: PacketView) -> _Piece | str:
    """A fragment's place in its datagram, or what is wrong with it."""
    if not seen.is_fragment:
        return "not a fragment"
    header = (seen.raw[0] & 0x0F) * 4
    data = seen.raw[header : seen.total]
    if seen.more_fragments:
        data = data[: len(data) & ~7]  # as Linux does it: what is beyond the last whole block of 8 is not there
    if not data:
        return "a fragment without data"
    if header + seen.fragment_offset + len(data) > MAX_DATAGRAM:
        return "a fragment that ends beyond the largest datagram"
    return _Piece(seen.fragment_offset, data, not seen.more_fragments, seen.raw[:header])


def _piece6(seen: PacketView) -> _Piece | str:
    """The same for IPv6, where all that is behind the fragment header is data (RFC 8200, 4.5)."""
    raw, total = seen.raw, seen.total
    at, next_at, following = 40, 6, raw[6]
    for _ in range(seen.extension_headers):
        if following == _FRAGMENT or following not in (_HOP_BY_HOP, _ROUTING, _DESTINATION) or at + 8 > total:
            break
        next_at, following = at, raw[at]
        at += (raw[at + 1] + 1) * 8
    if following != _FRAGMENT or at + 8 > total:
        return "not a fragment"
    field = (raw[at + 2] << 8) | raw[at + 3]
    start, more = field & 0xFFF8, bool(field & 1)
    if not start and not more:
        return "not a fragment"
    data = raw[at + 8 : total]
    if more and len(data) & 7:
        return "a fragment, not the last, whose length is no multiple of 8"
    if not data:
        return "a fragment without data"
    if at - 40 + start + len(data) > MAX_DATAGRAM:
        return "a fragment that ends beyond the largest datagram"
    head = bytearray(raw[:at])
    head[next_at] = raw[at]
    return _Piece(start, data, not more, bytes(head))
