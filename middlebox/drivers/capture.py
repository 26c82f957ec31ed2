"""Reads captures (pcap and pcapng) and writes pcap, without third-party code.

It looks no further into a packet than to find its IP header, and judges nothing: a frame that carries no IP is handed
out as such, so that numbers stay those that Wireshark shows, less one.
Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from middlebox.drivers.frame import KNOWN, ip_of

MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D
SECTION, INTERFACE, OLD_PACKET, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 2, 3, 6
_BYTE_ORDER = 0x1A2B3C4D
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14
#: bytes of one record or block. A packet has no more than 64 kB, a super-packet 256 kB; what says more is no length
MAX_RECORD = 16 * 1024 * 1024
#: what a pcap file says of the longest packet in it; tcpdump's own default
_SNAP = 262_144
_SECOND = 1_000_000_000
#: bytes that wait in memory before they go to the file by themselves
_BUFFER = 256 * 1024
_RAW_IP = 101

#: first bytes of files that people give in place of a capture, and what to do
_OTHERS = {
    b"\x1f\x8b": "a gzip file; unpack it first (gunzip)",
    b"\xfd7zXZ": "an xz file; unpack it first (unxz)",
    b"\x28\xb5\x2f\xfd": "a zstd file; unpack it first (unzstd)",
    b"PK": "a zip file; unpack it first",
    b"\x34\xcd\xb2\xa1": "a modified pcap of an old Linux; convert it with 'editcap -F pcapng'",
    b"\xa1\xb2\xcd\x34": "a modified pcap of an old Linux; convert it with 'editcap -F pcapng'",
    b"snoop": "a snoop file; convert it with 'editcap -F pcapng'",
}

Warn = Callable[[str], None]


class CaptureError(Exception):
    """A capture that cannot be read; str() names the file, the byte, what was found and what was expected."""


class CaptureWarning(UserWarning):
    """A capture that ends in the middle of a packet, or has frames of a kind that is not read."""


@dataclass(frozen=True, slots=True)
class Captured:
    """One packet of a capture."""

    number: int  #: its place in the file, from 0
    t_ns: int  #: since 1970, as the file says
    ip: bytes | None  #: from the IP header on; None if the frame carries no IP


def read_packets(path: str | os.PathLike[str], *, warn: Warn | None = None) -> Iterator[Captured]:
    """All packets of a file in its order, read as they are asked for.

    Raises CaptureError for what is no capture. A file that ends in the middle of a packet, as after a crash, gives all
    whole packets and then a warning (to `warn`, else a CaptureWarning).
    """
    place = Path(path)
    tell = warn if warn is not None else _warn
    try:
        file = place.open("rb")
    except OSError as error:
        raise CaptureError(f"{place}: {error.strerror or error}") from None
    with file:
        source = _Source(place, file, tell)
        magic = source.take(4, "the magic number of a pcap or pcapng file", whole=True)
        if int.from_bytes(magic, "big") == SECTION:
            yield from _pcapng(source)
            return
        for order in ("<", ">"):
            if (number := struct.unpack(order + "I", magic)[0]) in (MICRO, NANO):
                yield from _pcap(source, order, 1 if number == NANO else 1_000)
                return
        other = next((said for start, said in _OTHERS.items() if magic.startswith(start[:4])), "")
        found = f"found {magic.hex(' ')}" + (f" ({other})" if other else "")
        raise CaptureError(
            f"{place}: byte 0: {found}; expected a pcap (a1b2c3d4 or a1b23c4d, either byte order) or pcapng (0a0d0d0a)"
        )


def _warn(message: str) -> None:
    warnings.warn(message, CaptureWarning, stacklevel=3)


class _Source:
    """The file's bytes, one after the other, and how to complain about them."""

    def __init__(self, path: Path, file: BinaryIO, warn: Warn) -> None:
        self._path = path
        self._file = file
        self._warn = warn
        self.at = 0  # of the next byte
        self.start = 0  # of the record or block that is being read
        self.count = 0  # packets that were handed out

    def take(self, size: int, what: str, *, whole: bool = False) -> bytes:
        """The next bytes; fewer only at the end of the file, and not then if they must be `whole`."""
        data = self._file.read(size)
        if whole and len(data) < size:
            self.fail(f"the file ends after {len(data)} of {size} bytes of {what}")
        self.at += len(data)
        return data

    def fail(self, message: str) -> None:
        raise CaptureError(f"{self._path}: byte {self.at}: {message}")

    def note(self, message: str) -> None:
        self._warn(f"{self._path}: {message}")

    def note_cut(self) -> None:
        self.note(
            f"byte {self.start}: the file ends in the middle of packet {self.count}; "
            f"the {self.count} packets before it are whole"
        )

    def packet(self, t_ns: int, frame: bytes, linktype: int) -> Captured:
        captured = Captured(self.count, t_ns, ip_of(frame, linktype))
        self.count += 1
        return captured


def _pcap(source: _Source, order: str, unit_ns: int) -> Iterator[Captured]:
    header = source.take(20, "the file header", whole=True)
    linktype = int(struct.unpack(order + "I", header[16:])[0]) & 0xFFFF  # above it: what is known about a checksum
    if linktype not in KNOWN:
        source.at -= 4
        source.fail(f"found link type {linktype}; expected one of {_known()}")
    record = struct.Struct(order + "IIII")
    while True:
        source.start = source.at
        head = source.take(16, "a record header")
        if len(head) < 16:
            if head:
                source.note_cut()
            return
        seconds, fraction, size, _ = record.unpack(head)
        if size > MAX_RECORD:
            source.at = source.start + 8
            source.fail(f"found a packet of {size} bytes (number {source.count}); expected at most {MAX_RECORD}")
        frame = source.take(size, "a packet")
        if len(frame) < size:
            source.note_cut()
            return
        yield source.packet(seconds * _SECOND + fraction * unit_ns, frame, linktype)


@dataclass(frozen=True, slots=True)
class _Interface:
    linktype: int
    snap: int  # longest packet; 0: no limit
    resolution: int  # ticks in a second
    offset_s: int

    def t_ns(self, ticks: int) -> int:
        return ticks * _SECOND // self.resolution + self.offset_s * _SECOND


def _pcapng(source: _Source) -> Iterator[Captured]:
    """Block after block; a section begins with its own byte order and its own interfaces (the first is opened)."""
    order = "<"
    interfaces: list[_Interface] = []
    latest_ns = 0
    head = SECTION.to_bytes(4, "big") + source.take(4, "a section header", whole=True)
    while True:
        kind = struct.unpack(order + "I", head[:4])[0]
        if kind == SECTION:
            order = _byte_order(source)
            interfaces = []
        size = struct.unpack(order + "I", head[4:])[0]
        ahead = 12 if kind == SECTION else 8
        if size < ahead + 4 or size % 4 or size > MAX_RECORD:
            source.at = source.start + 4
            source.fail(f"found a block of {size} bytes; expected a multiple of 4, of {ahead + 4} to {MAX_RECORD}")
        body = source.take(size - ahead, "a block")
        if len(body) < size - ahead:
            source.note_cut()
            return
        if body[-4:] != head[4:]:
            source.at -= 4
            again = struct.unpack(order + "I", body[-4:])[0]
            source.fail(f"found {again} as the block's length at its end; expected {size}, as at its beginning")
        body = body[:-4]
        if kind == INTERFACE:
            interfaces.append(_interface(source, order, body))
        elif kind in (ENHANCED, OLD_PACKET, SIMPLE):
            face, ticks, frame = _packet_block(source, order, kind, body, interfaces)
            if ticks is not None:  # a simple packet block tells no time: it counts as that of the packet before
                latest_ns = face.t_ns(ticks)
            yield source.packet(latest_ns, frame, face.linktype)
        source.start = source.at
        head = source.take(8, "a block header")
        if len(head) < 8:
            if head:
                source.note_cut()
            return


def _byte_order(source: _Source) -> str:
    magic = source.take(4, "a section header", whole=True)
    for order in ("<", ">"):
        if struct.unpack(order + "I", magic)[0] == _BYTE_ORDER:
            return order
    source.at -= 4
    source.fail(f"found {magic.hex(' ')}; expected the byte-order magic 1a2b3c4d, in either order")
    raise AssertionError


def _interface(source: _Source, order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        source.at = source.start
        source.fail(f"found an interface block with {len(body)} bytes; expected at least 8")
    linktype, _, snap = struct.unpack_from(order + "HHI", body)
    resolution, offset_s, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == 0:
            break
        if code == _TIME_RESOLUTION and len(value) == 1:
            resolution = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _TIME_OFFSET and len(value) == 8:
            offset_s = struct.unpack(order + "q", value)[0]
        at += 4 + size + -size % 4
    if linktype not in KNOWN:
        source.note(
            f"byte {source.start}: an interface of link type {linktype}, whose frames are not read; read are {_known()}"
        )
    return _Interface(linktype, snap, resolution, offset_s)


def _packet_block(
    source: _Source, order: str, kind: int, body: bytes, interfaces: list[_Interface]
) -> tuple[_Interface, int | None, bytes]:
    """A packet's interface, its time in ticks of that interface, and its frame."""
    ahead = 4 if kind == SIMPLE else 20
    number, ticks, size = 0, None, 0
    if len(body) >= ahead:
        if kind == SIMPLE:
            (size,) = struct.unpack_from(order + "I", body)
        else:
            form = order + ("HHIIII" if kind == OLD_PACKET else "IIIII")
            number, *_, high, low, size, _ = struct.unpack_from(form, body)
            ticks = high << 32 | low
    if len(body) < ahead or number >= len(interfaces):
        source.at = source.start
        source.fail(
            f"found a packet block of {len(body)} bytes on interface {number}; "
            f"expected at least {ahead} bytes, and one of the {len(interfaces)} interfaces described so far"
        )
    face = interfaces[number]
    if kind == SIMPLE:
        size = min(size, face.snap or size, len(body) - ahead)
    if size > len(body) - ahead:
        source.at = source.start
        source.fail(f"found a packet of {size} bytes in a block with {len(body) - ahead} bytes for it")
    return face, ticks, body[ahead : ahead + size]


def _known() -> str:
    return ", ".join(f"{name} ({number})" for number, name in sorted(KNOWN.items()))


class Writer:
    """A pcap file with nanoseconds. Each write to the file is of whole packets, so a crash loses only what waited."""

    def __init__(self, path: str | os.PathLike[str], *, linktype: int = _RAW_IP) -> None:
        self.path = Path(path)
        self.count = 0  #: packets written
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._waiting: list[bytes] = [struct.pack("<IHHiIII", NANO, 2, 4, 0, 0, _SNAP, linktype)]
        self._size = 0
        self._record = struct.Struct("<IIII")
        self.flush()

    def write(self, t_ns: int, packet: bytes) -> None:
        """Add one packet; `t_ns` since 1970."""
        seconds, fraction = divmod(t_ns, _SECOND)
        size = len(packet)
        self._waiting.append(self._record.pack(seconds, fraction, size, size))
        self._waiting.append(packet)
        self._size += size + 16
        self.count += 1
        if self._size > _BUFFER:
            self.flush()

    def flush(self) -> None:
        """Give what waits to the kernel: from then on it survives the end of this process. Raises OSError."""
        data = memoryview(b"".join(self._waiting))
        self._waiting.clear()
        self._size = 0
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        if self._file >= 0:
            self.flush()
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
