"""Finds the IP packet in a captured frame, for the link types that captures of IP traffic have.

It reads no IP, and takes nothing for IP that the frame does not call IP.
Source: https://www.tcpdump.org/linktypes.html; IEEE 802.1Q for the tags.
"""

from __future__ import annotations

#: link type -> its name
KNOWN = {
    0: "BSD loopback",
    1: "Ethernet",
    12: "raw IP",
    14: "raw IP",
    101: "raw IP",
    108: "OpenBSD loopback",
    113: "Linux cooked v1",
    228: "raw IPv4",
    229: "raw IPv6",
    276: "Linux cooked v2",
}

_IPV4, _IPV6 = 0x0800, 0x86DD
_TAGS = (0x8100, 0x88A8, 0x9100)  # 802.1Q, 802.1ad, and QinQ as it was before 802.1ad
#: tags in one frame; two is what the standards know
MAX_TAGS = 4
#: AF_INET, and AF_INET6 of NetBSD and OpenBSD, of FreeBSD, of Darwin, of Linux
_FAMILIES = (2, 24, 28, 30, 10)


def ip_of(frame: bytes, linktype: int) -> bytes | None:
    """The bytes from the IP header on; None if the frame carries no IP or the link type is not known."""
    if linktype in (12, 14, 101, 228, 229):
        return frame if frame and frame[0] >> 4 in (4, 6) else None
    if linktype == 1:
        return _tagged(frame, 12)
    if linktype == 113:
        return _tagged(frame, 14)
    if linktype == 276:
        return _by_type(frame, int.from_bytes(frame[:2], "big"), 20)
    if linktype in (0, 108):  # the family is in the byte order of the machine that captured, or big-endian
        families = (int.from_bytes(frame[:4], "little"), int.from_bytes(frame[:4], "big"))
        return frame[4:] if len(frame) > 4 and any(family in _FAMILIES for family in families) else None
    return None


def _tagged(frame: bytes, at: int) -> bytes | None:
    """Behind an EtherType at `at`, and behind the VLAN tags that it may announce."""
    kind = int.from_bytes(frame[at : at + 2], "big")
    for _ in range(MAX_TAGS):
        if kind not in _TAGS:
            break
        at += 4
        kind = int.from_bytes(frame[at : at + 2], "big")
    return _by_type(frame, kind, at + 2)


def _by_type(frame: bytes, kind: int, at: int) -> bytes | None:
    return frame[at:] if kind in (_IPV4, _IPV6) and len(frame) > at else None
