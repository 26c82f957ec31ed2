"""The ICMP errors that routers and hosts of the simulated network answer with, as Linux makes them.

It does not decide when there is one to be sent, but for the rule that no error answers an error.
"""

from __future__ import annotations

import errno
from struct import Struct

from middlebox.checksum import checksum, transport_checksum
from middlebox.forge import Unreachable, icmp_unreachable, ip
from middlebox.packet import ICMP, ICMPV6, PacketView, view

_HEAD = Struct("!BBHI")
_WORD = Struct("!H")
#: an error carries as much of the original as fits this (RFC 1812, 4.3.2.3; RFC 4443, 2.4 c)
_SIZE, _SIZE6 = 576, 1_280
#: Linux marks its ICMP errors "internetwork control" (RFC 1812, 4.3.2.5)
_TOS = 0xC0
#: types that are no errors, so that they may be answered with one: echo and its reply (RFC 792, RFC 4443)
_ECHO, _ECHO6 = (0, 8), (128, 129)

#: codes of "destination unreachable" (type 3; ICMPv6: 1)
_ERRORS = {
    0: errno.ENETUNREACH,
    2: errno.ENOPROTOOPT,
    3: errno.ECONNREFUSED,
    6: errno.ENETUNREACH,
    9: errno.ENETUNREACH,
}
_ERRORS6 = {0: errno.ENETUNREACH, 1: errno.EACCES, 4: errno.ECONNREFUSED}


def may_be_answered(original: bytes) -> bool:
    """False for errors, for what is no packet, and for all but the first fragment (RFC 1122, 3.2.2)."""
    seen = view(original)
    if seen is None or seen.fragment_offset:
        return False
    if seen.proto not in (ICMP, ICMPV6) or seen.header_end >= len(original):
        return True
    return original[seen.header_end] in (_ECHO if seen.proto == ICMP else _ECHO6)


def time_exceeded(original: bytes, *, src: bytes) -> bytes:
    """What a router at `src` answers to a packet whose TTL has run out (type 11 code 0; ICMPv6: 3, 0)."""
    if len(src) == 4:
        body = _HEAD.pack(11, 0, 0, 0) + original[: _SIZE - 28]
        body = body[:2] + _WORD.pack(checksum(body)) + body[4:]
        return ip(body, src=src, dst=original[12:16], proto=ICMP, df=False, tos=_TOS)
    dst = original[8:24]
    body = _HEAD.pack(3, 0, 0, 0) + original[: _SIZE6 - 48]
    body = body[:2] + _WORD.pack(transport_checksum(src, dst, ICMPV6, body)) + body[4:]
    return ip(body, src=src, dst=dst, proto=ICMPV6)


def port_unreachable(original: bytes, *, src: bytes) -> bytes:
    """What a host answers to a datagram for a port where nobody listens."""
    return icmp_unreachable(original, src=src, code=Unreachable.PORT)


def no_route(original: bytes, *, src: bytes) -> bytes:
    """What a router at `src` answers to a packet that it has no route for."""
    return icmp_unreachable(original, src=src, code=Unreachable.NET)


def is_error(seen: PacketView) -> bool:
    """True for an ICMP or ICMPv6 message that tells of an error (RFC 4443, 2.1: types below 128)."""
    if seen.header_end + 8 > seen.total:
        return False
    kind = seen.raw[seen.header_end]
    return kind in (3, 11, 12) if seen.proto == ICMP else kind < 128


def error_number(seen: PacketView) -> int:
    """What Linux tells programs of an error: an errno (icmp_err_convert)."""
    kind, code = seen.raw[seen.header_end], seen.raw[seen.header_end + 1]
    if seen.proto == ICMP:
        if kind != 3:
            return errno.EHOSTUNREACH if kind == 11 else errno.EPROTO
        return _ERRORS.get(code, errno.EHOSTUNREACH)
    if kind != 1:
        return errno.EHOSTUNREACH if kind == 3 else errno.EPROTO
    return _ERRORS6.get(code, errno.EHOSTUNREACH)
