"""Captures: what scapy writes is read, what is written scapy reads, and the rest is from the formats' own pages."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw
from scapy.utils import PcapNgWriter, PcapWriter, RawPcapReader

from middlebox.drivers.capture import Captured, CaptureError, CaptureWarning, Writer, read_packets

S = 1_000_000_000
#: with addresses of its own: without them scapy asks the network for them
ETHERNET = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
FOUR = IP(src="10.0.0.1", dst="203.0.113.5") / TCP(flags="S")
SIX = IPv6(src="2001:db8::1", dst="2001:db8::5") / TCP(flags="S") / Raw(b"odd")


def stamped(packet: Packet, seconds: float) -> Packet:
    packet = packet.copy()
    packet.time = seconds
    return packet


def found(path: Path) -> list[Captured]:
    return list(read_packets(path))


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_a_pcap_of_either_byte_order_and_resolution_is_read(tmp_path: Path, endian: str, nano: bool) -> None:
    path = tmp_path / "a.pcap"
    with PcapWriter(str(path), linktype=1, endianness=endian, nano=nano) as writer:
        for packet in (stamped(ETHERNET / FOUR, 5.25), stamped(ETHERNET / ARP(), 6), stamped(ETHERNET / SIX, 7.000001)):
            writer.write(packet)
    assert found(path) == [
        Captured(0, 5_250_000_000, bytes(FOUR)),
        Captured(1, 6 * S, None),
        Captured(2, 7_000_001_000, bytes(SIX)),
    ]


def test_a_pcapng_that_scapy_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with PcapNgWriter(str(path)) as writer:
        writer.write(stamped(ETHERNET / FOUR, 5.25))
        writer.write(stamped(ETHERNET / SIX, 6.5))
    assert found(path) == [Captured(0, 5_250_000_000, bytes(FOUR)), Captured(1, 6_500_000_000, bytes(SIX))]


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, linktype: int, *options: tuple[int, bytes], snap: int = 0) -> bytes:
    body = struct.pack(order + "HHI", linktype, 0, snap)
    for code, value in (*options, (0, b"")):
        body += struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
    return block(order, 1, body)


def enhanced(order: str, face: int, ticks: int, packet: bytes) -> bytes:
    head = struct.pack(order + "IIIII", face, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
    return block(order, 6, head + packet + bytes(-len(packet) % 4))


def old(order: str, face: int, ticks: int, packet: bytes) -> bytes:
    head = struct.pack(order + "HHIIII", face, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(packet), len(packet))
    return block(order, 2, head + packet)


def simple(order: str, size: int, packet: bytes) -> bytes:
    return block(order, 3, struct.pack(order + "I", size) + packet)


@pytest.mark.parametrize("order", ["<", ">"])
def test_each_interface_has_its_own_clock_and_link_type(tmp_path: Path, order: str) -> None:
    path = tmp_path / "a.pcapng"
    four, six = bytes(FOUR), bytes(SIX)
    path.write_bytes(
        section(order)
        + interface(order, 101)
        + interface(order, 101, (2, b"eth0"), (9, b"\x09"))
        + interface(order, 1, (9, b"\x8a"), (14, struct.pack(order + "q", 100)))
        + enhanced(order, 0, 1_500_000, four)
        + enhanced(order, 1, 1_500_000_001, six)
        + block(order, 5, bytes(20))  # statistics: passed over
        + enhanced(order, 2, 512, bytes(ETHERNET / FOUR))
        + old(order, 0, 2_000_000, six)
    )
    assert found(path) == [
        Captured(0, 1_500_000_000, four),
        Captured(1, 1_500_000_001, six),
        Captured(2, 100 * S + S // 2, four),
        Captured(3, 2 * S, six),
    ]


def test_a_simple_packet_is_cut_at_the_snap_length_and_counts_as_of_the_packet_before(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    four = bytes(FOUR)
    path.write_bytes(
        section("<")
        + interface("<", 101, snap=30)
        + enhanced("<", 0, 7_000_000, four)
        + simple("<", len(four), four[:30])
        + simple("<", 25, four[:25])
    )
    assert found(path)[1:] == [Captured(1, 7 * S, four[:30]), Captured(2, 7 * S, four[:25])]


def test_a_second_section_has_its_own_byte_order_and_interfaces(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    first = section("<") + interface("<", 101) + enhanced("<", 0, 1_000_000, bytes(FOUR))
    second = section(">") + interface(">", 1) + enhanced(">", 0, 2_000_000, bytes(ETHERNET / SIX))
    path.write_bytes(first + second)
    assert found(path) == [Captured(0, S, bytes(FOUR)), Captured(1, 2 * S, bytes(SIX))]


def test_an_interface_that_cannot_be_read_is_told_and_its_frames_have_no_ip(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(section("<") + interface("<", 220) + enhanced("<", 0, 1_000_000, b"usb"))
    told: list[str] = []
    assert list(read_packets(path, warn=told.append)) == [Captured(0, S, None)]
    assert told[0].startswith(f"{path}: byte 28: an interface of link type 220, whose frames are not read; read are ")


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
@pytest.mark.parametrize("lost", [1, 10, 50])
def test_a_file_that_ends_in_the_middle_of_a_packet_gives_all_whole_packets(
    tmp_path: Path, kind: str, lost: int
) -> None:
    path = tmp_path / "a"
    if kind == "pcap":
        with Writer(path) as writer:
            for at in range(3):
                writer.write(at * S, bytes(FOUR))
    else:
        path.write_bytes(
            section("<")
            + interface("<", 101)
            + b"".join(enhanced("<", 0, at * 1_000_000, bytes(FOUR)) for at in range(3))
        )
    data = path.read_bytes()
    path.write_bytes(data[:-lost])
    with pytest.warns(CaptureWarning, match="in the middle of packet 2; the 2 packets before it are whole"):
        assert found(path) == [Captured(at, at * S, bytes(FOUR)) for at in range(2)]


def faulty(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
PCAPNG = section("<") + interface("<", 101) + enhanced("<", 0, 1, bytes(FOUR))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: the file ends after 0 of 4 bytes of the magic number of a pcap or pcapng file"),
        (
            b"GET / HTTP",
            "byte 0: found 47 45 54 20; expected a pcap (a1b2c3d4 or a1b23c4d, either byte order) or pcapng",
        ),
        (b"\x1f\x8b\x08\x00", "byte 0: found 1f 8b 08 00 (a gzip file; unpack it first (gunzip)); expected a pcap"),
        (PCAP[:20], "byte 4: the file ends after 16 of 20 bytes of the file header"),
        (faulty(PCAP, 20, b"\xdc"), "byte 20: found link type 220; expected one of BSD loopback (0), Ethernet (1)"),
        (
            PCAP + struct.pack("<IIII", 1, 2, 1 << 30, 60) + bytes(90),
            "byte 32: found a packet of 1073741824 bytes (number 0); expected at most 16777216",
        ),
        (faulty(PCAPNG, 8, b"\0\0\0\0"), "byte 8: found 00 00 00 00; expected the byte-order magic 1a2b3c4d"),
        (faulty(PCAPNG, 32, b"\x07"), "byte 32: found a block of 7 bytes; expected a multiple of 4, of 12 to 16777216"),
        (faulty(PCAPNG, len(PCAPNG) - 4, b"\x08"), "found 8 as the block's length at its end; expected 72"),
        (
            PCAPNG + enhanced("<", 1, 1, b""),
            "found a packet block of 20 bytes on interface 1; expected at least 20 bytes",
        ),
        (
            section("<") + block("<", 1, b"\0\0\0\0"),
            "byte 28: found an interface block with 4 bytes; expected at least 8",
        ),
        (
            section("<") + interface("<", 101) + block("<", 6, struct.pack("<IIIII", 0, 0, 0, 99, 99)),
            "found a packet of 99 bytes in a block with 0 bytes for it",
        ),
    ],
)
def test_what_is_no_capture_is_refused_with_the_place_and_what_was_expected(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(data)
    with pytest.raises(CaptureError) as error:
        found(path)
    assert str(error.value).startswith(f"{path}: byte ")
    assert message in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"nothing\.pcap: No such file"):
        found(tmp_path / "nothing.pcap")


@settings(max_examples=200)
@given(st.integers(0, len(PCAPNG) - 1), st.integers(0, 255), st.booleans())
def test_a_changed_byte_gives_packets_or_an_error_and_nothing_else(at: int, value: int, long: bool) -> None:
    data = faulty(PCAPNG if long else PCAP + PCAPNG, at, bytes([value]))
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(CaptureError):
            list(read_packets(file.name, warn=lambda message: None))


def test_what_is_written_scapy_reads_with_every_nanosecond(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with Writer(path) as writer:
        writer.write(1_700_000_000_123_456_789, bytes(FOUR))
        writer.write(1_700_000_001_000_000_001, bytes(SIX))
        assert writer.count == 2
    with RawPcapReader(str(path)) as reader:
        assert (reader.nano, reader.linktype) == (True, 101)
        packets = [(meta.sec * S + meta.usec, raw) for raw, meta in reader]
    assert packets == [(1_700_000_000_123_456_789, bytes(FOUR)), (1_700_000_001_000_000_001, bytes(SIX))]
    assert [(one.t_ns, one.ip) for one in found(path)] == packets


def test_what_waits_is_on_disk_after_a_flush_and_large_amounts_before_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    writer = Writer(path)
    assert path.stat().st_size == 24
    writer.write(1, b"E" * 100)
    assert path.stat().st_size == 24
    writer.flush()
    assert path.stat().st_size == 24 + 116
    for _ in range(300):
        writer.write(2, b"E" * 1_000)
    assert path.stat().st_size > 100_000
    writer.close()
    writer.close()
    assert len(found(path)) == 301


def test_a_killed_writer_leaves_whole_packets(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    program = (
        "import sys\nfrom middlebox.drivers.capture import Writer\nwriter = Writer(sys.argv[1])\n"
        "for at in range(10**9):\n    writer.write(at, b'E' * 777)\n"
        "    if at == 1000:\n        writer.flush()\n        print('ready', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    packets = list(read_packets(path, warn=lambda message: None))
    assert len(packets) >= 1001
    assert [one.t_ns for one in packets] == list(range(len(packets)))
    assert {one.ip for one in packets} == {b"E" * 777}
