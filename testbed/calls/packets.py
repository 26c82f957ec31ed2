"""The packets of a call: STUN (RFC 8489), RTP and RTCP (RFC 3550).

Of STUN the Binding request and its answer, without authentication; of RTP the header, and a payload that nobody reads;
of RTCP sender and receiver reports and BYE. As in SRTP, headers are plain; that RTCP is sealed there is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from struct import pack, unpack_from
from typing import Final
from zlib import crc32

MAGIC: Final = 0x2112A442
REQUEST, SUCCESS = 0x0001, 0x0101
_XOR_MAPPED_ADDRESS, _FINGERPRINT = 0x0020, 0x8028
_FINGERPRINT_XOR = 0x5354554E

#: a dynamic payload type, as Opus has (RFC 7587, 7), and its clock
VOICE: Final = 111
CLOCK_HZ: Final = 48_000
_SENDER, _RECEIVER, _BYE = 200, 201, 203
#: seconds from 1900 to 1970, in NTP's time
_NTP = 2_208_988_800


@dataclass(frozen=True, slots=True)
class Stun:
    """A Binding request or its answer."""

    kind: int  #: `REQUEST`, `SUCCESS`
    ident: bytes  #: of the transaction, 12 bytes
    mapped: tuple[str, int] | None = None  #: an answer: where the request came from


def stun(message: Stun) -> bytes:
    """Its bytes, with a fingerprint (RFC 8489, 14.7)."""
    body = b""
    if message.mapped is not None:
        address = ip_address(message.mapped[0])
        mask = pack("!I", MAGIC) + message.ident
        hidden = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
        value = pack("!xBH", 1 if address.version == 4 else 2, message.mapped[1] ^ MAGIC >> 16) + hidden
        body = pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    head = pack("!HHI", message.kind, len(body) + 8, MAGIC) + message.ident + body
    return head + pack("!HHI", _FINGERPRINT, 4, crc32(head) ^ _FINGERPRINT_XOR)


def read_stun(data: bytes) -> Stun | None:
    """The message, if it is one of these two and whole; None for anything else."""
    if len(data) < 20 or data[0] & 0xC0:
        return None
    kind, length, magic = unpack_from("!HHI", data)
    if kind not in (REQUEST, SUCCESS) or magic != MAGIC or length != len(data) - 20:
        return None
    ident, mapped, at = data[8:20], None, 20
    while at + 4 <= len(data):
        name, size = unpack_from("!HH", data, at)
        value = data[at + 4 : at + 4 + size]
        if len(value) < size:
            return None
        if name == _XOR_MAPPED_ADDRESS and size in (8, 20):
            mask = pack("!I", MAGIC) + ident
            plain = bytes(one ^ other for one, other in zip(value[4:], mask, strict=False))
            mapped = (str(ip_address(plain)), unpack_from("!H", value, 2)[0] ^ MAGIC >> 16)
        elif name == _FINGERPRINT and value != pack("!I", crc32(data[:at]) ^ _FINGERPRINT_XOR):
            return None
        at += 4 + (size + 3) // 4 * 4
    return Stun(kind, ident, mapped)


@dataclass(frozen=True, slots=True)
class Rtp:
    """One packet of voice."""

    sequence: int
    timestamp: int
    source: int  #: SSRC
    payload: bytes


def rtp(packet: Rtp) -> bytes:
    head = pack("!BBHII", 0x80, VOICE, packet.sequence & 0xFFFF, packet.timestamp & 0xFFFF_FFFF, packet.source)
    return head + packet.payload


def read_rtp(data: bytes) -> Rtp | None:
    """The packet, if it is one of voice without extensions; None for anything else."""
    if len(data) < 12 or data[0] != 0x80 or data[1] & 0x7F != VOICE:
        return None
    _, _, sequence, timestamp, source = unpack_from("!BBHII", data)
    return Rtp(sequence, timestamp, source, data[12:])


@dataclass(frozen=True, slots=True)
class Block:
    """What a receiver says of a source (RFC 3550, 6.4.1)."""

    source: int
    lost_256: int  #: share lost since the last report, in 256ths
    lost: int  #: in all
    highest: int  #: sequence number, with the cycles above 16 bits
    jitter: int  #: in units of the timestamp
    last: int  #: middle 32 bits of the NTP time of the last sender report; 0 for none
    since: int  #: the last sender report came so long ago, in 65536ths of a second


@dataclass(frozen=True, slots=True)
class Report:
    """An RTCP packet: a sender's report if it has sent, a receiver's if not."""

    source: int
    sent_s: float = 0.0  #: when it left, by the sender's clock
    timestamp: int = 0
    packets: int = 0  #: sent so far; 0 for a receiver's report
    octets: int = 0
    block: Block | None = None
    bye: bool = False


def middle(seconds: float) -> int:
    """The middle 32 bits of the NTP time: 65536ths of a second."""
    return int((seconds + _NTP) * 65_536) & 0xFFFF_FFFF


def rtcp(report: Report) -> bytes:
    """Its bytes; with `bye` a BYE follows in the same datagram (RFC 3550, 6.1)."""
    block = b""
    if report.block is not None:
        one = report.block
        lost = max(-(1 << 23), min(one.lost, (1 << 23) - 1)) & 0xFF_FFFF
        numbers = (one.highest & 0xFFFF_FFFF, one.jitter & 0xFFFF_FFFF, one.last, one.since & 0xFFFF_FFFF)
        block = pack("!IIIIII", one.source, one.lost_256 << 24 | lost, *numbers)
    sender = b""
    if report.packets:
        whole = int(report.sent_s)
        sender = pack("!II", (whole + _NTP) & 0xFFFF_FFFF, int((report.sent_s - whole) * (1 << 32)) & 0xFFFF_FFFF)
        sender += pack("!III", report.timestamp & 0xFFFF_FFFF, report.packets, report.octets & 0xFFFF_FFFF)
    body = pack("!I", report.source) + sender + block
    kind = _SENDER if report.packets else _RECEIVER
    made = pack("!BBH", 0x80 | (report.block is not None), kind, len(body) // 4) + body
    return made + pack("!BBHI", 0x81, _BYE, 1, report.source) if report.bye else made


def read_rtcp(data: bytes) -> Report | None:
    """The report, if it begins with one; None for anything else. Of several blocks the first is read."""
    if len(data) < 8 or data[0] >> 6 != 2 or data[1] not in (_SENDER, _RECEIVER):
        return None
    count, kind, words = data[0] & 0x1F, data[1], unpack_from("!H", data, 2)[0]
    end = 4 * (words + 1)
    at = 28 if kind == _SENDER else 8
    if len(data) < end or end < at + 24 * count:
        return None
    sent_s, timestamp, packets, octets = 0.0, 0, 0, 0
    if kind == _SENDER:
        whole, part, timestamp, packets, octets = unpack_from("!IIIII", data, 8)
        sent_s = ((whole - _NTP) & 0xFFFF_FFFF) + part / (1 << 32)
    block = None
    if count:
        source, lost, highest, jitter, last, since = unpack_from("!IIIIII", data, at)
        total = lost & 0xFF_FFFF
        block = Block(source, lost >> 24, total - (1 << 24 if total >> 23 else 0), highest, jitter, last, since)
    bye = len(data) >= end + 8 and data[end + 1] == _BYE
    return Report(unpack_from("!I", data, 4)[0], sent_s, timestamp, packets, octets, block, bye)
