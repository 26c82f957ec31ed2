"""TCP segments as values, and as bytes when somebody looks; sequence numbers that do not wrap.

It decides nothing. Options are those that Linux sends, in its order: MSS, SACK-permitted, timestamps, window scale,
SACK (RFC 9293, 3.2; RFC 2018; RFC 7323).
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from middlebox.checksum import from_remainder, remainder
from middlebox.packet import FIN, SYN, TCP, PacketView

MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000

_HEAD = Struct("!HHIIBBHHH")
_IPV4 = Struct("!HHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_WORD = Struct("!H")
_DF = 0x4000
_TIMES = Struct("!BBBBII")
_MSS = Struct("!BBH")
_BLOCK = Struct("!II")
_TIMES_AT = Struct("!II")

#: one SACK block: the first number and the one behind the last, as on the wire
Block = tuple[int, int]


def unwrapped(wire: int, near: int) -> int:
    """The number that stands on the wire as `wire` and is nearest to `near`."""
    return near + ((wire - near + _HALF) & MASK) - _HALF


class Segment:
    """One TCP segment, without the IP header around it."""

    __slots__ = (
        *("ack", "dport", "flags", "mss", "payload", "sack_permitted", "sacks", "seq", "sport"),
        *("times", "window", "window_scale"),
    )

    def __init__(
        self,
        sport: int,
        dport: int,
        seq: int,
        ack: int,
        flags: int,
        window: int,
        payload: bytes = b"",
        times: tuple[int, int] | None = None,
        sacks: tuple[Block, ...] = (),
        mss: int = 0,
        window_scale: int | None = None,
        sack_permitted: bool = False,
    ) -> None:
        self.sport = sport
        self.dport = dport
        self.seq = seq  #: as on the wire
        self.ack = ack
        self.flags = flags
        self.window = window  #: as on the wire, not scaled
        self.payload = payload
        self.times = times  #: TSval and TSecr
        self.sacks = sacks
        self.mss = mss  #: 0: no such option
        self.window_scale = window_scale
        self.sack_permitted = sack_permitted

    @property
    def length(self) -> int:
        """Bytes of header, options and payload."""
        if self.flags & SYN:
            return 20 + len(self._options()) + len(self.payload)
        size = 20 if self.times is None else 32
        if self.sacks:
            size += 4 + 8 * len(self.sacks)
        return size + len(self.payload)

    @property
    def ends(self) -> tuple[int, int, int]:
        """Ports and flags, for who reads no further."""
        return self.sport, self.dport, self.flags

    @property
    def numbers(self) -> int:
        """Sequence numbers that the segment takes up."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)

    def _options(self) -> bytes:
        times = self.times
        if not self.flags & SYN:
            made = _TIMES.pack(1, 1, 8, 10, times[0], times[1]) if times is not None else b""
            if self.sacks:
                made += bytes((1, 1, 5, 2 + 8 * len(self.sacks)))
                made += b"".join(_BLOCK.pack(*block) for block in self.sacks)
            return made
        made = _MSS.pack(2, 4, self.mss) if self.mss else b""
        if times is not None:
            made += _TIMES.pack(4 if self.sack_permitted else 1, 2 if self.sack_permitted else 1, 8, 10, *times)
        elif self.sack_permitted:
            made += b"\1\1\4\2"
        if self.window_scale is not None:
            made += bytes((1, 3, 3, self.window_scale))
        return made

    def encode(self, *, src: bytes, dst: bytes, ttl: int, ip_id: int) -> bytes:
        """The packet from its IP header on, with its checksums; a quarter of all time is spent here and below."""
        times = self.times
        if times is not None and not self.flags & SYN and not self.sacks:
            options = _TIMES.pack(1, 1, 8, 10, times[0], times[1])  # nearly all segments
        else:
            options = self._options()
        offset = (20 + len(options)) << 2
        head = _HEAD.pack(self.sport, self.dport, self.seq, self.ack, offset, self.flags, self.window, 0, 0)
        body = head + options + self.payload
        length = len(body)
        addresses = _summed(src, dst)
        made = from_remainder(remainder(body) + addresses + TCP + length)
        tail = body[:16] + _WORD.pack(made) + body[18:]
        if len(src) == 16:
            return _IPV6.pack(0x6000_0000, length, TCP, ttl, src, dst) + tail
        length += 20
        # the sum of the header's own words: its first one, length, number, "do not fragment", TTL and protocol
        made = from_remainder(0x4500 + length + ip_id + _DF + (ttl << 8) + TCP + addresses)
        return _IPV4.pack(0x4500, length, ip_id, _DF, ttl, TCP, made, src, dst) + tail


@lru_cache(maxsize=1_024)
def _summed(src: bytes, dst: bytes) -> int:
    return remainder(src + dst)


def decoded(seen: PacketView) -> Segment | None:
    """The segment in a packet; None if there is none that a host would take. Its checksum was looked at before."""
    if seen.proto != TCP or not seen.tcp_at or seen.malformed:
        return None
    segment = Segment(seen.src_port, seen.dst_port, seen.seq, seen.ack, seen.flags, seen.window, seen.payload)
    raw, at, end = seen.raw, seen.tcp_at + 20, seen.payload_at
    while at < end:
        kind = raw[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        size = raw[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            break
        if kind == 2 and size == 4:
            segment.mss = raw[at + 2] << 8 | raw[at + 3]
        elif kind == 3 and size == 3:
            segment.window_scale = min(raw[at + 2], 14)
        elif kind == 4 and size == 2:
            segment.sack_permitted = True
        elif kind == 5 and size > 2 and (size - 2) % 8 == 0:
            segment.sacks = tuple(_BLOCK.iter_unpack(raw[at + 2 : at + size]))
        elif kind == 8 and size == 10:
            segment.times = _TIMES_AT.unpack_from(raw, at + 2)
        at += size
    return segment
