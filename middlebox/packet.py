"""A view over one IP packet: what every packet is asked for is read in one pass, the rest when somebody asks.

It builds nothing, checks no checksum and knows no protocol above TCP and UDP.
"""

from __future__ import annotations

from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from struct import Struct
from typing import Final

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58

#: IPv6 extension headers that are walked (RFC 8200, 4; RFC 4302 for AH)
_HOP_BY_HOP: Final = 0
_ROUTING: Final = 43
_FRAGMENT: Final = 44
_AUTHENTICATION: Final = 51
_DESTINATION: Final = 60
#: longest chain that is walked: each header may occur once, destination options twice (RFC 8200, 4.1)
MAX_EXTENSION_HEADERS: Final = 8

_NO_PORTS: Final = b"\0\0\0\0"
_UDP_END: Final = bytes((UDP,))
_U16 = Struct("!H")
_U32 = Struct("!I")


class PacketView:
    """One packet. `raw` may be longer than the packet (Ethernet padding) or shorter (a cut capture)."""

    __slots__ = (
        "extension_headers",
        "flags",
        "fragment_offset",
        "header_end",
        "is_fragment",
        "key",
        "malformed",
        "more_fragments",
        "payload_at",
        "proto",
        "raw",
        "tcp_at",
        "total",
        "version",
    )

    def __init__(self, raw: bytes, version: int, proto: int, total: int, header_end: int) -> None:
        self.raw = raw
        self.version = version
        self.proto = proto  #: of the transport, behind all extension headers
        self.total = total  #: bytes of the packet by its own header, no more than there are
        self.header_end = header_end  #: where the transport header begins
        #: source, destination and their ports as they stand in the packet; behind them, but for TCP, the protocol
        self.key = b""
        self.is_fragment = False
        self.more_fragments = False
        self.fragment_offset = 0  #: bytes
        self.extension_headers = 0
        self.tcp_at = 0  #: where a TCP header stands that can be read; 0: nowhere
        self.flags = 0
        self.payload_at = header_end
        self.malformed = False  #: the transport header is cut, or contradicts itself

    @property
    def src(self) -> bytes:
        """4 or 16 bytes."""
        return self.raw[12:16] if self.version == 4 else self.raw[8:24]

    @property
    def dst(self) -> bytes:
        """4 or 16 bytes."""
        return self.raw[16:20] if self.version == 4 else self.raw[24:40]

    @property
    def src_port(self) -> int:
        at = 8 if self.version == 4 else 32
        return self.key[at] << 8 | self.key[at + 1]

    @property
    def dst_port(self) -> int:
        at = 10 if self.version == 4 else 34
        return self.key[at] << 8 | self.key[at + 1]

    @property
    def ttl(self) -> int:
        """The TTL or hop limit."""
        return self.raw[8] if self.version == 4 else self.raw[7]

    @property
    def ip_id(self) -> int:
        """In IPv6 that of a fragment, else 0."""
        if self.version == 4:
            return self.raw[4] << 8 | self.raw[5]
        return _fragment_id(self)

    @property
    def seq(self) -> int:
        raw, at = self.raw, self.tcp_at
        return raw[at + 4] << 24 | raw[at + 5] << 16 | raw[at + 6] << 8 | raw[at + 7] if at else 0

    @property
    def ack(self) -> int:
        number: int = _U32.unpack_from(self.raw, self.tcp_at + 8)[0] if self.tcp_at else 0
        return number

    @property
    def data_offset(self) -> int:
        """Bytes of the TCP header, as it says."""
        return (self.raw[self.tcp_at + 12] >> 4) * 4 if self.tcp_at else 0

    @property
    def window(self) -> int:
        number: int = _U16.unpack_from(self.raw, self.tcp_at + 14)[0] if self.tcp_at else 0
        return number

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
    first = raw[0]
    if first >> 4 == 6 and length >= 40:
        return _view6(raw, length)
    if first >> 4 != 4:
        return None
    header = (first & 0x0F) * 4
    total = raw[2] << 8 | raw[3] or length  # 0: captured before the network card cut a super-packet into pieces
    if header < 20 or total < header or header > length:
        return None
    seen = PacketView(raw, 4, raw[9], total if total < length else length, header)
    fragment = raw[6] << 8 | raw[7]
    if fragment & 0x3FFF:
        seen.is_fragment = True
        seen.more_fragments = bool(fragment & 0x2000)
        seen.fragment_offset = (fragment & 0x1FFF) * 8
    _transport(seen, 12, 20)
    return seen


def _view6(raw: bytes, length: int) -> PacketView:
    following = raw[6]
    payload = raw[4] << 8 | raw[5]
    # 0: captured before the network card cut a super-packet into pieces, or a jumbogram (RFC 2675, 3)
    jumbo = not payload and following in (_HOP_BY_HOP, TCP, UDP)
    total = length if jumbo else min(40 + payload, length)
    seen = PacketView(raw, 6, following, total, 40)
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
            field = raw[at + 2] << 8 | raw[at + 3]
            seen.fragment_offset = field & 0xFFF8
            seen.more_fragments = bool(field & 1)
            seen.is_fragment = seen.more_fragments or seen.fragment_offset > 0
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
    _transport(seen, 8, 40)
    return seen


def _fragment_id(seen: PacketView) -> int:
    """The identification in the fragment header of an IPv6 packet; 0 if it has none that was read."""
    raw, at, following = seen.raw, 40, seen.raw[6]
    for _ in range(seen.extension_headers):
        if following == _FRAGMENT:
            return int.from_bytes(raw[at + 4 : at + 8], "big")
        size = (raw[at + 1] + 2) * 4 if following == _AUTHENTICATION else (raw[at + 1] + 1) * 8
        following = raw[at]
        at += size
    return 0


def _transport(seen: PacketView, begin: int, end: int) -> None:
    """Read the transport header, if there is one, and make the key; the addresses stand at `raw[begin:end]`."""
    raw, at, total, proto = seen.raw, seen.header_end, seen.total, seen.proto
    if (proto != TCP and proto != UDP) or seen.fragment_offset or seen.malformed:
        key = raw[begin:end] + _NO_PORTS
        seen.key = key if proto == TCP else key + bytes((proto,))
    elif proto == TCP:
        if at + 20 > total:
            seen.malformed = True
            seen.payload_at = total
            seen.key = raw[begin:end] + (raw[at : at + 4] if at + 4 <= total else _NO_PORTS)
            return
        # without options the ports stand behind the addresses
        seen.key = raw[begin : end + 4] if at == end else raw[begin:end] + raw[at : at + 4]
        seen.tcp_at = at
        seen.flags = raw[at + 13] & 0x3F
        size = (raw[at + 12] >> 4) * 4
        if size < 20 or at + size > total:
            seen.malformed = True
            seen.payload_at = at + 20  # what a careless box takes for the payload
        else:
            seen.payload_at = at + size
    elif at + 8 > total:
        seen.malformed = True
        seen.payload_at = total
        seen.key = raw[begin:end] + _NO_PORTS + _UDP_END
    else:
        seen.key = (raw[begin : end + 4] if at == end else raw[begin:end] + raw[at : at + 4]) + _UDP_END
        size = raw[at + 4] << 8 | raw[at + 5]
        if size < 8 or (at + size > total and not seen.more_fragments):
            seen.malformed = True
        elif at + size < total and not seen.more_fragments:
            seen.total = at + size  # what is beyond the datagram's own length is not its payload
        seen.payload_at = at + 8


def turned(key: bytes) -> bytes:
    """The key of the packets that go the other way."""
    at = 4 if len(key) < 32 else 16
    ports = 2 * at
    return key[at:ports] + key[:at] + key[ports + 2 : ports + 4] + key[ports : ports + 2] + key[ports + 4 :]


def ends_of(key: bytes) -> tuple[bytes, int, bytes, int]:
    """Source, its port, destination and its port, of the packets that have this key."""
    at = 4 if len(key) < 32 else 16
    ports = 2 * at
    return key[:at], key[ports] << 8 | key[ports + 1], key[at:ports], key[ports + 2] << 8 | key[ports + 3]


@lru_cache(maxsize=8_192)
def address_text(packed: bytes) -> str:
    """ "203.0.113.5" or "2001:db8::5" (RFC 5952)."""
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)
