"""A view over one IP packet: the fields a box needs, read in one pass, nothing copied.

It builds nothing, checks no checksum and knows no protocol above TCP and UDP.
"""

from __future__ import annotations

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58

#: IPv6 extension headers that are walked (RFC 8200, 4; RFC 4302 for AH)
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
#: what follows an IPv6 header whose payload length of 0 does not mean that there is nothing
_NEVER_EMPTY = (_HOP_BY_HOP, TCP, UDP)
#: longest chain that is walked: each header may occur once, destination options twice (RFC 8200, 4.1)
MAX_EXTENSION_HEADERS = 8

_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_TCP = Struct("!HHIIBBH")
_PORTS = Struct("!HH")


class PacketView:
    """One packet. `raw` may be longer than the packet (Ethernet padding) or shorter (a cut capture)."""

    __slots__ = (
        "ack",
        "data_offset",
        "dst",
        "dst_port",
        "extension_headers",
        "flags",
        "fragment_offset",
        "header_end",
        "ip_id",
        "malformed",
        "more_fragments",
        "payload_at",
        "proto",
        "raw",
        "seq",
        "src",
        "src_port",
        "total",
        "ttl",
        "version",
        "window",
    )

    def __init__(self, raw: bytes, version: int, src: bytes, dst: bytes, ttl: int, proto: int, total: int) -> None:
        self.raw = raw
        self.version = version
        self.src = src  #: 4 or 16 bytes
        self.dst = dst
        self.ttl = ttl  #: or hop limit
        self.proto = proto  #: of the transport, behind all extension headers
        self.total = total  #: bytes of the packet by its own header, no more than there are
        self.ip_id = 0  #: of a fragment in IPv6; else 0 there
        self.header_end = total  #: where the transport header begins
        self.fragment_offset = 0  #: bytes
        self.more_fragments = False
        self.extension_headers = 0
        self.src_port = self.dst_port = 0
        self.seq = self.ack = self.flags = self.window = 0
        self.data_offset = 0  #: bytes of the TCP header, as it says
        self.payload_at = total
        self.malformed = False  #: the transport header is cut, or contradicts itself

    @property
    def is_fragment(self) -> bool:
        return self.more_fragments or self.fragment_offset > 0

    @property
    def payload(self) -> bytes:
        """The bytes above the transport header."""
        return self.raw[self.payload_at : self.total]

    @property
    def payload_len(self) -> int:
        return self.total - self.payload_at


def view(raw: bytes) -> PacketView | None:
    """Read a packet from its IP header on; None if it is not one that can be read. Never raises."""
    length = len(raw)
    if length < 20:
        return None
    version = raw[0] >> 4
    if version == 4:
        return _view4(raw, length)
    if version == 6 and length >= 40:
        return _view6(raw, length)
    return None


def _view4(raw: bytes, length: int) -> PacketView | None:
    first, _, total, ip_id, fragment, ttl, proto, _, src, dst = _IPV4.unpack_from(raw)
    header = (first & 0x0F) * 4
    total = total or length  # 0: captured before the network card cut a super-packet into pieces
    if header < 20 or total < header or header > length:
        return None
    seen = PacketView(raw, 4, src, dst, ttl, proto, total if total < length else length)
    seen.ip_id = ip_id
    seen.header_end = header
    seen.payload_at = header
    if fragment & 0x3FFF:
        seen.more_fragments = bool(fragment & 0x2000)
        seen.fragment_offset = (fragment & 0x1FFF) * 8
    if not seen.fragment_offset:
        _transport(seen)
    return seen


def _view6(raw: bytes, length: int) -> PacketView | None:
    _, payload, following, ttl, src, dst = _IPV6.unpack_from(raw)
    # 0: captured before the network card cut a super-packet into pieces, or a jumbogram (RFC 2675, 3)
    total = min(40 + payload, length) if payload or following not in _NEVER_EMPTY else length
    seen = PacketView(raw, 6, src, dst, ttl, following, total)
    at = 40
    cut = False
    while following in (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION):
        if seen.extension_headers == MAX_EXTENSION_HEADERS or at + 8 > total or (following == _FRAGMENT and cut):
            seen.malformed = True
            break
        kind, following = following, raw[at]
        seen.extension_headers += 1
        if kind == _FRAGMENT:
            cut = True  # a second one would be a fragment within a fragment: each header occurs once (RFC 8200, 4.1)
            field = (raw[at + 2] << 8) | raw[at + 3]
            seen.fragment_offset = field & 0xFFF8
            seen.more_fragments = bool(field & 1)
            seen.ip_id = int.from_bytes(raw[at + 4 : at + 8], "big")
            at += 8
            if seen.fragment_offset:  # what follows is the middle of something
                break
        elif kind == _AUTHENTICATION:
            at += (raw[at + 1] + 2) * 4
        else:
            at += (raw[at + 1] + 1) * 8
    seen.proto = following
    seen.header_end = seen.payload_at = min(at, total)
    if at > total:
        seen.malformed = True
    if not seen.fragment_offset and not seen.malformed:
        _transport(seen)
    return seen


def _transport(seen: PacketView) -> None:
    raw, at, total = seen.raw, seen.header_end, seen.total
    if seen.proto == TCP:
        if at + 20 > total:
            seen.malformed = True
            if at + 4 <= total:
                seen.src_port, seen.dst_port = _PORTS.unpack_from(raw, at)
            seen.payload_at = total
            return
        src, dst, seq, ack, offset, flags, window = _TCP.unpack_from(raw, at)
        seen.src_port, seen.dst_port, seen.seq, seen.ack = src, dst, seq, ack
        seen.flags, seen.window = flags & 0x3F, window
        size = (offset >> 4) * 4
        seen.data_offset = size
        if size < 20 or at + size > total:
            seen.malformed = True
            seen.payload_at = at + 20  # what a careless box takes for the payload
        else:
            seen.payload_at = at + size
    elif seen.proto == UDP:
        if at + 8 > total:
            seen.malformed = True
            seen.payload_at = total
            return
        seen.src_port, seen.dst_port = _PORTS.unpack_from(raw, at)
        size = (raw[at + 4] << 8) | raw[at + 5]
        if size < 8 or (at + size > total and not seen.more_fragments):
            seen.malformed = True
        elif at + size < total and not seen.more_fragments:
            seen.total = at + size  # what is beyond the datagram's own length is not its payload
        seen.payload_at = at + 8


@lru_cache(maxsize=8_192)
def address_text(packed: bytes) -> str:
    """ "203.0.113.5" or "2001:db8::5" (RFC 5952)."""
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)
