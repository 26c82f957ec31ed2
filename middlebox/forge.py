"""Packets that the censor makes up, as bytes with right lengths and checksums; version 4 or 6 by the addresses.

When they are sent, and whether at all, is not decided here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import Enum

from middlebox.checksum import checksum, pseudo_header
from middlebox.packet import ACK, ICMP, ICMPV6, RST, TCP, UDP, PacketView

#: no forged packet is longer: an Ethernet frame's worth
MAX_PACKET = 1_500
#: an ICMP error in IPv4 quotes what keeps it within 576 bytes (RFC 1812, 4.3.2.3); in IPv6 1280 (RFC 4443, 3.1)
_QUOTED4, _QUOTED6 = 576 - 28, 1_280 - 48
#: an IPv4 source that answers DNS with flags 0x8180 says: response, recursion desired and available
_RESPONSE, _AUTHORITATIVE, _DESIRED, _AVAILABLE = 0x8000, 0x0400, 0x0100, 0x0080
_TYPE_A, _TYPE_AAAA, _CLASS_IN = 1, 28, 1


class Unreachable(Enum):
    """Why a destination cannot be reached; the value is the word of a policy file."""

    NET = "net"
    HOST = "host"
    PROTOCOL = "protocol"
    PORT = "port"
    ADMIN = "admin"

    @property
    def code4(self) -> int:
        """The code of ICMP type 3 (RFC 792; 13: RFC 1812, 5.2.7.1)."""
        return _CODES[self][0]

    @property
    def code6(self) -> int:
        """The code of ICMPv6 type 1 (RFC 4443, 3.1); a protocol is not told apart there: no route."""
        return _CODES[self][1]


_CODES = {
    Unreachable.NET: (0, 0),
    Unreachable.HOST: (1, 3),
    Unreachable.PROTOCOL: (2, 0),
    Unreachable.PORT: (3, 4),
    Unreachable.ADMIN: (13, 1),
}


def _ip(src: bytes, dst: bytes, proto: int, body: bytes, *, ttl: int, ip_id: int, df: bool, tos: int) -> bytes:
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, len(body), proto, ttl) + src + dst + body
    fragment = 0x4000 if df else 0
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(body), ip_id & 0xFFFF, fragment, ttl, proto, 0) + src + dst
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def tcp(
    *,
    src: bytes,
    dst: bytes,
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    window: int = 0,
    payload: bytes = b"",
    ttl: int = 64,
    ip_id: int = 0,
    df: bool = True,
    tos: int = 0,
    options: bytes = b"",
) -> bytes:
    """A TCP segment (RFC 9293, 3.1); `options` is padded with zeros to whole words."""
    options += bytes(-len(options) % 4)
    offset = (5 + len(options) // 4) << 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset, flags, window, 0, 0)
    segment = head + options + payload
    summed = checksum(pseudo_header(src, dst, TCP, len(segment)) + segment)
    segment = segment[:16] + summed.to_bytes(2, "big") + segment[18:]
    return _ip(src, dst, TCP, segment, ttl=ttl, ip_id=ip_id, df=df, tos=tos)


def udp(
    *,
    src: bytes,
    dst: bytes,
    sport: int,
    dport: int,
    payload: bytes,
    ttl: int = 64,
    ip_id: int = 0,
    df: bool = False,
    tos: int = 0,
) -> bytes:
    """A UDP datagram (RFC 768)."""
    datagram = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    summed = checksum(pseudo_header(src, dst, UDP, len(datagram)) + datagram) or 0xFFFF
    datagram = datagram[:6] + summed.to_bytes(2, "big") + datagram[8:]
    return _ip(src, dst, UDP, datagram, ttl=ttl, ip_id=ip_id, df=df, tos=tos)


def icmp_unreachable(original: bytes, *, src: bytes, code: Unreachable, ttl: int = 64) -> bytes:
    """Destination unreachable, to the sender of `original`, which must be of the same IP version as `src`."""
    if len(src) == 16:
        to = original[8:24]
        body = struct.pack("!BBHI", 1, code.code6, 0, 0) + original[:_QUOTED6]
        summed = checksum(pseudo_header(src, to, ICMPV6, len(body)) + body)
        proto = ICMPV6
    else:
        to = original[12:16]
        body = struct.pack("!BBHI", 3, code.code4, 0, 0) + original[:_QUOTED4]
        summed = checksum(body)
        proto = ICMP
    body = body[:2] + summed.to_bytes(2, "big") + body[4:]
    return _ip(src, to, proto, body, ttl=ttl, ip_id=0, df=False, tos=0)


def _first_question(query: bytes) -> bytes | None:
    """The first question's bytes: name, type, class."""
    at = 12
    while at < len(query):
        length = query[at]
        if length == 0:
            at += 5
            return query[12:at] if at <= len(query) else None
        if length & 0xC0:  # a question has nothing before it to point to
            return None
        at += 1 + length
    return None


def dns_answer(
    query: bytes,
    *,
    addresses: Sequence[bytes],
    rcode: int = 0,
    answer_ttl: int = 60,
    authoritative: bool = False,
    flags: int | None = None,
) -> bytes | None:
    """The DNS message that answers a query's first question (RFC 1035, 4.1).

    `addresses` of the type that was asked become records, whose name is a pointer to the question; `flags` is the
    whole flags word, else it follows the query's RD bit. None if the query has no question that can be read.
    """
    question = _first_question(query)
    if len(query) < 12 or question is None:
        return None
    kind = int.from_bytes(question[-4:-2], "big")
    size = {_TYPE_A: 4, _TYPE_AAAA: 16}.get(kind, 0)
    records = b"".join(
        struct.pack("!HHHIH", 0xC00C, kind, _CLASS_IN, answer_ttl, size) + address
        for address in addresses
        if len(address) == size
    )
    if flags is None:
        flags = _RESPONSE | _AVAILABLE | int.from_bytes(query[2:4], "big") & _DESIRED
        if authoritative:
            flags |= _AUTHORITATIVE
    word = flags | rcode & 0x0F
    count = len(records) // (12 + size)
    return query[:2] + struct.pack("!HHHHH", word, 1, count, 0, 0) + question + records


def http_response(*, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """An HTTP/1.1 response (RFC 9112) that ends its connection; Content-Length is added."""
    from http import HTTPStatus

    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Blocked"
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace") + body


def as_reset(view: PacketView, flags: int = RST | ACK) -> bytes:
    """A segment turned into a reset: flags changed, options and payload gone, all else as it came.

    Addresses, TTL, IP ID, numbers and window stay: that is how the TSPU's rewriting differs from an injected packet
    (Xue et al., IMC 2022). `view` must be of a TCP segment, not of a fragment.
    """
    raw = view.raw
    head = raw[: view.header_end]
    segment = bytearray(raw[view.header_end : view.header_end + 20])
    segment[12] = 5 << 4
    segment[13] = flags
    segment[16:20] = bytes(4)  # checksum, urgent pointer
    summed = checksum(pseudo_header(view.src, view.dst, TCP, len(segment)) + bytes(segment))
    segment[16:18] = summed.to_bytes(2, "big")
    return _resized(head, view.version, len(segment)) + bytes(segment)


def _resized(head: bytes, version: int, body: int) -> bytes:
    """An IP header (with its options or extension headers) for a body of another length."""
    if version == 6:
        return head[:4] + (len(head) - 40 + body).to_bytes(2, "big") + head[6:]
    head = head[:2] + (len(head) + body).to_bytes(2, "big") + head[4:10] + b"\0\0" + head[12:]
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:]
