"""The packets that a censor makes up, as bytes with the right lengths and checksums.

It sends nothing and chooses nothing: every header value is an argument. The IP version follows from the addresses.
Wrong arguments (addresses of two versions, more than a packet can hold) raise ValueError, numbers that do not fit
their field struct.error; the bytes of packets that are answered never raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from http import HTTPStatus
from struct import Struct

from middlebox.checksum import (
    adjusted,
    checksum,
    from_remainder,
    pseudo,
    remainder,
    summed_destination,
    transport_checksum,
)
from middlebox.packet import ACK, ICMP, ICMPV6, RST, TCP, UDP, PacketView

_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_TCP = Struct("!HHIIBBHHH")
_UDP = Struct("!HHHH")
_ICMP = Struct("!BBHI")
_WORD = Struct("!H")
_DNS = Struct("!6H")

_DF = 0x4000
#: an ICMP error carries as much of the original as fits this (RFC 1812, 4.3.2.3; RFC 4443, 2.4 c)
_ICMP_SIZE, _ICMPV6_SIZE = 576, 1_280
#: TCP's data offset has four bits (RFC 9293, 3.1)
MAX_OPTIONS = 40
#: a DNS label (RFC 1035, 2.3.4); larger first bytes are pointers, of which a first name has none
_MAX_LABEL, _MAX_NAME = 63, 255
_QR, _OPCODE, _AA, _RD, _RA = 0x8000, 0x7800, 0x0400, 0x0100, 0x0080
_TYPE_A, _TYPE_AAAA, _TYPE_ANY = 1, 28, 255
#: the name of the first question, as a compression pointer (RFC 1035, 4.1.4)
_FIRST_NAME = b"\xc0\x0c"


class Unreachable(Enum):
    """Why a destination is said to be unreachable, with (type, code) in ICMP and in ICMPv6."""

    NET = "net"  #: ICMP 3/0, ICMPv6 1/0 (no route)
    HOST = "host"  #: ICMP 3/1, ICMPv6 1/3 (address unreachable)
    PROTOCOL = "protocol"  #: ICMP 3/2, ICMPv6 4/1 (unrecognised next header; RFC 7915, 4.2)
    PORT = "port"  #: ICMP 3/3, ICMPv6 1/4
    ADMIN = "admin"  #: ICMP 3/13 (RFC 1812, 5.2.7.1), ICMPv6 1/1: administratively prohibited


_V4_CODES = {
    Unreachable.NET: 0,
    Unreachable.HOST: 1,
    Unreachable.PROTOCOL: 2,
    Unreachable.PORT: 3,
    Unreachable.ADMIN: 13,
}
_V6_CODES = {
    Unreachable.NET: (1, 0),
    Unreachable.HOST: (1, 3),
    Unreachable.PROTOCOL: (4, 1),
    Unreachable.PORT: (1, 4),
    Unreachable.ADMIN: (1, 1),
}
#: the offset of the next header field in the original, which ICMPv6 4/1 points at (RFC 7915, 4.2)
_NEXT_HEADER_AT = 6


def ip(
    body: bytes, *, src: bytes, dst: bytes, proto: int, ttl: int = 64, ip_id: int = 0, df: bool = True, tos: int = 0
) -> bytes:
    """An IP packet around a transport segment whose checksum is right already; `tos` is the traffic class in IPv6."""
    if len(src) != len(dst) or len(src) not in (4, 16):
        raise ValueError(f"addresses of {len(src)} and {len(dst)} bytes; expected two of 4 or two of 16")
    if len(src) == 16:
        if len(body) > 0xFFFF:
            raise ValueError(f"{len(body)} bytes do not fit an IPv6 packet")
        return _IPV6.pack(0x6000_0000 | tos << 20, len(body), proto, ttl, src, dst) + body
    total = 20 + len(body)
    if total > 0xFFFF:
        raise ValueError(f"{len(body)} bytes do not fit an IPv4 packet")
    flags = _DF if df else 0
    rest = 0x4500 + tos + total + ip_id + flags + (ttl << 8) + proto + remainder(src + dst)
    return _IPV4.pack(0x45, tos, total, ip_id, flags, ttl, proto, from_remainder(rest), src, dst) + body


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
    """A TCP segment; options are filled up with zero bytes to a multiple of four (end of the list)."""
    options += bytes(-len(options) % 4)
    if len(options) > MAX_OPTIONS:
        raise ValueError(f"{len(options)} bytes of TCP options; at most {MAX_OPTIONS} fit")
    size = 20 + len(options)
    offset = size << 2
    length = size + len(payload)
    rest = pseudo(src, dst, TCP, length) + sport + dport + (seq >> 16) + (seq & 0xFFFF) + (ack >> 16) + (ack & 0xFFFF)
    rest += (offset << 8) + flags + window + remainder(options) + remainder(payload)
    header = _TCP.pack(sport, dport, seq, ack, offset, flags, window, from_remainder(rest), 0)
    return ip(header + options + payload, src=src, dst=dst, proto=TCP, ttl=ttl, ip_id=ip_id, df=df, tos=tos)


def udp(
    *,
    src: bytes,
    dst: bytes,
    sport: int,
    dport: int,
    payload: bytes,
    ttl: int = 64,
    ip_id: int = 0,
    df: bool = True,
    tos: int = 0,
) -> bytes:
    """A UDP datagram."""
    length = 8 + len(payload)
    if length > 0xFFFF:
        raise ValueError(f"{len(payload)} bytes do not fit a UDP datagram")
    rest = pseudo(src, dst, UDP, length) + sport + dport + length + remainder(payload)
    made = from_remainder(rest) or 0xFFFF  # 0 would mean that there is none (RFC 768)
    body = _UDP.pack(sport, dport, length, made) + payload
    return ip(body, src=src, dst=dst, proto=UDP, ttl=ttl, ip_id=ip_id, df=df, tos=tos)


def icmp_unreachable(original: bytes, *, src: bytes, code: Unreachable, ttl: int = 64) -> bytes:
    """The answer to an IP packet's sender that its destination cannot be reached, from `src` (RFC 792, RFC 4443).

    `original` is the whole packet; as much of it goes along as may. It must be of the IP version of `src`.
    """
    version = original[0] >> 4 if original else 0
    if (version, len(src)) not in ((4, 4), (6, 16)) or len(original) < (20 if version == 4 else 40):
        raise ValueError(f"an answer from a {len(src)}-byte address to a packet of IP version {version}")
    if version == 4:
        body = _ICMP.pack(3, _V4_CODES[code], 0, 0) + original[: _ICMP_SIZE - 28]
        body = body[:2] + _WORD.pack(checksum(body)) + body[4:]
        return ip(body, src=src, dst=original[12:16], proto=ICMP, ttl=ttl, df=False)
    kind, number = _V6_CODES[code]
    dst = original[8:24]
    body = _ICMP.pack(kind, number, 0, _NEXT_HEADER_AT if kind == 4 else 0) + original[: _ICMPV6_SIZE - 48]
    body = body[:2] + _WORD.pack(transport_checksum(src, dst, ICMPV6, body)) + body[4:]
    return ip(body, src=src, dst=dst, proto=ICMPV6, ttl=ttl)


def dns_answer(
    query: bytes,
    *,
    addresses: Sequence[bytes],
    rcode: int = 0,
    answer_ttl: int = 60,
    authoritative: bool = False,
    flags: int | None = None,
) -> bytes | None:
    """The message that answers the first question of a DNS query; None if the query cannot be read (RFC 1035, 4.1).

    Id and question are the query's own bytes, so the case of the name's letters returns as it came. Of the addresses
    (packed) those of the asked type answer, none if `rcode` is not 0. `answer_ttl` in seconds. `flags`: the 16 bits of
    flags to send in place of the usual ones; an `rcode` still goes into them.
    """
    end = _question_end(query)
    if end is None:
        return None
    query_id, asked = _DNS.unpack_from(query)[:2]
    qtype = _WORD.unpack_from(query, end - 4)[0]
    if flags is None:
        flags = _QR | (asked & (_OPCODE | _RD)) | _RA | (_AA if authoritative else 0)
    if rcode:
        flags = (flags & 0xFFF0) | (rcode & 0x0F)
    records = []
    for address in addresses if not rcode else ():
        rtype = _TYPE_A if len(address) == 4 else _TYPE_AAAA
        if qtype in (rtype, _TYPE_ANY):
            head = _FIRST_NAME + _WORD.pack(rtype) + query[end - 2 : end]
            records.append(head + answer_ttl.to_bytes(4, "big") + _WORD.pack(len(address)) + address)
    header = _DNS.pack(query_id, flags, 1, len(records), 0, 0)
    return header + query[12:end] + b"".join(records)


def _question_end(query: bytes) -> int | None:
    """Where the first question ends; None if there is none, or if this is not a query."""
    if len(query) < 12 or query[2] & 0x80 or query[4:6] == b"\0\0":
        return None
    at = 12
    while at < len(query):
        size = query[at]
        at += 1 + size
        if size == 0:
            return at + 4 if at + 4 <= len(query) and at - 12 <= _MAX_NAME else None
        if size > _MAX_LABEL:
            return None
    return None


def http_response(*, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> bytes:
    """An HTTP/1.1 response that closes the connection; its length is added unless a header tells it (RFC 9112)."""
    lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
    named = {name.lower() for name, _ in headers}
    extra = [] if "content-length" in named or "transfer-encoding" in named else [("Content-Length", str(len(body)))]
    extra += [] if "connection" in named else [("Connection", "close")]
    for name, value in [*headers, *extra]:
        if any(letter in "\r\n\0" for letter in name + value) or not name or ":" in name:
            raise ValueError(f"'{name}: {value}' is not an HTTP header: it has a line break, or no name")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:  # 450 and the like, which blocking systems make up
        return "Blocked" if 400 <= status < 500 else "Unknown"


def as_reset(seen: PacketView, flags: int = RST | ACK) -> bytes:
    """A TCP packet turned into a bare segment with other flags, the way that the TSPU treats a server's packets.

    IP header with its TTL and id, ports, sequence and acknowledgment number and window stay as the server set them;
    payload and TCP options go (Xue et al., "TSPU: Russia's Decentralized Censorship System", IMC 2022). A packet that
    is not TCP comes back as it is.
    """
    if seen.proto != TCP:
        return seen.raw
    head = bytearray(seen.raw[: seen.header_end])
    body = _TCP.pack(seen.src_port, seen.dst_port, seen.seq, seen.ack, 0x50, flags, seen.window, 0, 0)
    body = body[:16] + _WORD.pack(transport_checksum(seen.src, summed_destination(seen), TCP, body)) + body[18:]
    if seen.version == 4:
        head[2:4] = _WORD.pack(len(head) + 20)
        head[10:12] = b"\0\0"
        head[10:12] = _WORD.pack(checksum(bytes(head)))
    else:
        head[4:6] = _WORD.pack(len(head) - 40 + 20)
    return bytes(head) + body


def with_ttl(raw: bytes, ttl: int) -> bytes:
    """The same packet with another TTL or hop limit; bytes that are no IP packet come back as they are."""
    version = raw[0] >> 4 if raw else 0
    if version == 4 and len(raw) >= 20:
        old, protocol = raw[8], raw[9]
        made = adjusted((raw[10] << 8) | raw[11], (old << 8) | protocol, (ttl << 8) | protocol)
        return raw[:8] + bytes((ttl, protocol)) + _WORD.pack(made) + raw[12:]
    if version == 6 and len(raw) >= 40:
        return raw[:7] + bytes((ttl,)) + raw[8:]
    return raw
