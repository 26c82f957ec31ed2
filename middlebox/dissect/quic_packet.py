"""QUIC datagrams: the long headers of the packets in them, as far as they are readable without a key.

Short headers tell nothing and are not read. Versions 1 and 2 are read whole; of other versions only what is the same in
all of them. Only versions that are known to be QUIC's are believed: any high-entropy datagram could be one of an
unknown version.

Sources: RFC 8999 section 5.1 (what all versions share); RFC 9000 sections 12.2, 15, 16, 17.2; RFC 9369 section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from middlebox.dissect.quic_protection import V1, V2

#: RFC 9000, 17.2: connection IDs of version 1 have at most this many bytes; longer ones drop the packet
MAX_CID: Final = 20
#: first byte, version, two empty connection IDs
SHORTEST: Final = 7
#: the two highest bits of the first byte: a long header, and the fixed bit. RFC 9287 lets ends clear the latter after a
#: first contact alone; asking for it keeps RTP (10 there) from ever being QUIC
LONG: Final = 0xC0

#: versions by their highest 24 bits: drafts (which use RFC 8999's header from draft 22 on), Facebook's mvfst
_FAMILIES: Final = frozenset({0xFF0000, 0xFACEB0})


class Kind(Enum):
    """The sorts of packets that a client sends with a long header."""

    INITIAL = "initial"
    ZERO_RTT = "0-rtt"
    HANDSHAKE = "handshake"
    OTHER = "other"  #: Retry, which no client sends; any packet of another version


#: RFC 9000, 17.2 and RFC 9369, 3.2: the two type bits
_KINDS: Final = {
    V1: (Kind.INITIAL, Kind.ZERO_RTT, Kind.HANDSHAKE, Kind.OTHER),
    V2: (Kind.OTHER, Kind.INITIAL, Kind.ZERO_RTT, Kind.HANDSHAKE),
}


@dataclass(frozen=True, slots=True)
class LongHeader:
    """One packet with a long header."""

    kind: Kind
    version: int
    dcid: bytes  #: destination connection ID
    number_at: int  #: where the packet number begins; of `Kind.OTHER` without a meaning
    end: int  #: where the next packet of the datagram begins


def is_version(number: int) -> bool:
    """True for a version that clients are known to send; also for those reserved to be answered by a negotiation."""
    reserved = number & 0x0F0F0F0F == 0x0A0A0A0A  # RFC 9000, 15
    return number in _KINDS or reserved or number >> 8 in _FAMILIES


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The variable-length integer at `at` and the place after it (RFC 9000, 16); that place is -1 if it is cut off."""
    if at >= end:
        return 0, -1
    first = data[at]
    length = 1 << (first >> 6)
    if length == 1:
        return first, at + 1
    after = at + length
    if after > end:
        return 0, -1
    return int.from_bytes(data[at:after], "big") & (1 << (8 * length - 2)) - 1, after


def long_header(data: bytes, at: int) -> LongHeader | None:
    """The packet that begins at `at`; None if it is none with a long header of a known version."""
    have = len(data)
    if have - at < SHORTEST or data[at] & LONG != LONG:
        return None
    version = int.from_bytes(data[at + 1 : at + 5], "big")
    if not is_version(version):
        return None
    kinds = _KINDS.get(version)
    dcid_at = at + 6
    scid_at = dcid_at + data[at + 5] + 1
    if scid_at > have or (kinds is not None and data[at + 5] > MAX_CID):
        return None
    after = scid_at + data[scid_at - 1]
    if after > have or (kinds is not None and data[scid_at - 1] > MAX_CID):
        return None
    dcid = bytes(data[dcid_at : scid_at - 1])
    if kinds is None:
        return LongHeader(Kind.OTHER, version, dcid, have, have)
    kind = kinds[data[at] >> 4 & 3]
    if kind is Kind.OTHER:
        return LongHeader(kind, version, dcid, have, have)
    if kind is Kind.INITIAL:
        token, after = varint(data, after, have)
        if after < 0 or after + token > have:
            return None
        after += token
    length, after = varint(data, after, have)
    if after < 0 or after + length > have:
        return None
    return LongHeader(kind, version, dcid, after, after + length)
