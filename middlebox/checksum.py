"""The Internet checksum (RFC 1071), over headers and over TCP, UDP and ICMP with their pseudo-headers."""

from __future__ import annotations

from middlebox.packet import ICMP, ICMPV6, TCP, UDP, PacketView

#: where the checksum stands in each transport header
_OFFSETS = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}


def checksum(data: bytes) -> int:
    """The 16-bit one's complement of the one's complement sum of `data`, padded with a zero byte.

    As 2**16 is 1 modulo 65535, the sum of all 16-bit words is the whole number modulo 65535.
    """
    if len(data) & 1:
        data += b"\0"
    remainder = int.from_bytes(data, "big") % 0xFFFF
    if remainder == 0 and any(data):
        remainder = 0xFFFF
    return 0xFFFF - remainder


def pseudo_header(src: bytes, dst: bytes, proto: int, length: int) -> bytes:
    """What TCP and UDP sum besides themselves: RFC 9293, 3.1 (IPv4) and RFC 8200, 8.1 (IPv6)."""
    if len(src) == 4:
        return src + dst + bytes((0, proto)) + length.to_bytes(2, "big")
    return src + dst + length.to_bytes(4, "big") + bytes((0, 0, 0, proto))


def ipv4_header_ok(view: PacketView) -> bool:
    """True if the IPv4 header's checksum is right; IPv6 has none."""
    if view.version != 4:
        return True
    return checksum(view.raw[: (view.raw[0] & 0x0F) * 4]) == 0


def transport_ok(view: PacketView) -> bool:
    """True if the transport's checksum is right, cannot be checked (a fragment, a cut capture), or is not used."""
    at = _OFFSETS.get(view.proto)
    if at is None or view.is_fragment or view.malformed:
        return True
    segment = view.raw[view.header_end : view.total]
    if len(segment) < at + 2:
        return False
    if view.proto == UDP and view.version == 4 and segment[at : at + 2] == b"\0\0":
        return True  # the sender did not sum (RFC 768)
    if view.proto == ICMP:
        return checksum(segment) == 0
    return checksum(pseudo_header(view.src, view.dst, view.proto, len(segment)) + segment) == 0
