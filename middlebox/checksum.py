"""The checksums of IP, TCP, UDP and ICMP: made and verified.

It changes no packet and does not judge what cannot be known: a fragment, a packet that the capture has cut.
Sources: RFC 1071; RFC 9293, 3.1; RFC 768; RFC 8200, 8.1 (the pseudo-header of IPv6); RFC 1624.
"""

from __future__ import annotations

from middlebox.packet import ICMP, ICMPV6, TCP, UDP, PacketView

_ROUTING, _AUTHENTICATION, _FRAGMENT = 43, 51, 44


def remainder(data: bytes) -> int:
    """The sum of the 16-bit words modulo 65535, which is the ones' complement sum but for the two names of zero.

    A last odd byte counts as the high half of a word. The division of one long integer is some ten times as fast in
    Python as a loop over words: 65536 is 1 modulo 65535, so every word keeps its own weight.
    """
    number = int.from_bytes(data, "big")
    if len(data) & 1:
        number <<= 8
    return number % 0xFFFF


def from_remainder(rest: int) -> int:
    """The checksum of data whose words sum to `rest` modulo 65535; the data must not be all zero."""
    return (0xFFFF - rest % 0xFFFF) % 0xFFFF


def checksum(data: bytes) -> int:
    """The Internet checksum over bytes in which the checksum field is 0 (RFC 1071)."""
    rest = remainder(data)
    return 0xFFFF - rest if rest or not any(data) else 0


def pseudo(src: bytes, dst: bytes, proto: int, length: int) -> int:
    """The pseudo-header's share of a transport checksum, modulo 65535; `length` in bytes, with the header."""
    return remainder(src + dst) + proto + (length >> 16) + (length & 0xFFFF)


def transport_checksum(src: bytes, dst: bytes, proto: int, segment: bytes) -> int:
    """The checksum of a TCP segment, UDP datagram or ICMPv6 message whose checksum field is 0."""
    made = from_remainder(pseudo(src, dst, proto, len(segment)) + remainder(segment))
    return 0xFFFF if proto == UDP and made == 0 else made  # 0 would mean "none" (RFC 768)


def adjusted(old_checksum: int, old_word: int, new_word: int) -> int:
    """The checksum after one 16-bit word has changed (RFC 1624, equation 3)."""
    total = (~old_checksum & 0xFFFF) + (~old_word & 0xFFFF) + new_word
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4_header_ok(seen: PacketView) -> bool:
    """True if the IPv4 header's checksum is right; IPv6 has none, so there it is never wrong."""
    if seen.version != 4:
        return True
    return remainder(seen.raw[: (seen.raw[0] & 0x0F) * 4]) == 0


def transport_ok(seen: PacketView) -> bool:
    """True unless the transport checksum is known to be wrong.

    It is not known for a fragment, for a packet that was captured only in part, and for other protocols than TCP, UDP
    and ICMP. UDP over IPv4 may go without; over IPv6 it may not.
    """
    proto = seen.proto
    if seen.is_fragment or proto not in (TCP, UDP, ICMP, ICMPV6) or _is_cut(seen):
        return True
    segment = seen.raw[seen.header_end : seen.total]
    if proto == UDP:
        if len(segment) < 8:
            return False
        if segment[6] == 0 and segment[7] == 0:
            return seen.version == 4
    elif len(segment) < (20 if proto == TCP else 4):
        return False
    if proto == ICMP:
        return remainder(segment) == 0
    dst = summed_destination(seen)
    return (pseudo(seen.src, dst, proto, len(segment)) + remainder(segment)) % 0xFFFF == 0


def _is_cut(seen: PacketView) -> bool:
    raw = seen.raw
    stated = (raw[2] << 8) | raw[3] if seen.version == 4 else 40 + ((raw[4] << 8) | raw[5])
    return stated > len(raw)


def summed_destination(seen: PacketView) -> bytes:
    """The destination that is in the transport checksum: where a routing header leads in the end (RFC 8200, 8.1)."""
    if seen.extension_headers == 0:
        return seen.dst
    raw, at, following = seen.raw, 40, seen.raw[6]
    for _ in range(seen.extension_headers):
        if following == _ROUTING:
            kind, left = raw[at + 2], raw[at + 3]
            size = (raw[at + 1] + 1) * 8
            last = at + 8 if kind == 4 else at + size - 16  # a segment list is in reverse (RFC 8754, 2)
            if left and kind in (0, 2, 4) and size >= 24 and at + size <= seen.total:
                return raw[last : last + 16]
        if following == _FRAGMENT:
            size = 8
        elif following == _AUTHENTICATION:
            size = (raw[at + 1] + 2) * 4
        else:
            size = (raw[at + 1] + 1) * 8
        following = raw[at]
        at += size
        if at + 8 > seen.total:
            break
    return seen.dst
