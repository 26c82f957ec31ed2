"""Long headers: which datagrams are QUIC's, and where each packet ends."""

from __future__ import annotations

import pytest
from aioquic._buffer import Buffer
from aioquic.quic.packet import QuicPacketType, pull_quic_header
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.quic_packet import Kind, is_version, long_header, varint
from tests.middlebox.dissect.quic_made import DCID, RFC_FRAME, V1, V2, flight, initial, long_packet, number

TYPES = {
    QuicPacketType.INITIAL: Kind.INITIAL,
    QuicPacketType.ZERO_RTT: Kind.ZERO_RTT,
    QuicPacketType.HANDSHAKE: Kind.HANDSHAKE,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("c2197c5eff14e88c", 151_288_809_941_952_652),
        ("9d7f3e7d", 494_878_333),
        ("7bbd", 15_293),
        ("25", 37),
        ("4025", 37),
    ],
)
def test_the_integers_of_the_rfc(text: str, value: int) -> None:
    """RFC 9000, A.1."""
    data = b"\xff" + bytes.fromhex(text)
    assert varint(data, 1, len(data)) == (value, len(data))
    assert varint(data, 1, len(data) - 1)[1] == -1


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("kind", range(4))
def test_types_are_those_that_another_library_reads(version: int, kind: int) -> None:
    rest = number(0) + number(40) + bytes(40) if {V1: 0, V2: 1}[version] == kind else number(40) + bytes(40)
    data = long_packet(kind, version=version, scid=b"abc", rest=rest)
    header = long_header(data, 0)
    assert header is not None
    theirs = pull_quic_header(Buffer(data=data))
    assert header.kind is TYPES.get(theirs.packet_type, Kind.OTHER)
    assert (header.version, header.dcid) == (theirs.version, theirs.destination_cid)
    if header.kind is not Kind.OTHER:
        assert header.end == theirs.packet_length == len(data)


@settings(deadline=None, max_examples=100)
@given(
    dcid=st.binary(max_size=20),
    scid=st.binary(max_size=20),
    token=st.binary(max_size=300),
    after=st.binary(max_size=40),
)
def test_an_initial_ends_where_its_length_says(dcid: bytes, scid: bytes, token: bytes, after: bytes) -> None:
    data = initial(RFC_FRAME, dcid=dcid, scid=scid, token=token)
    header = long_header(b"xyz" + data + after, 3)
    assert header is not None
    assert (header.kind, header.dcid, header.end) == (Kind.INITIAL, dcid, 3 + len(data))


def test_connection_ids_of_0_to_20_bytes_are_read_and_longer_ones_are_not() -> None:
    for size in (0, 20):
        assert long_header(initial(RFC_FRAME, dcid=bytes(size)), 0) is not None
    assert long_header(long_packet(0, dcid=bytes(21), rest=bytes(40)), 0) is None
    assert long_header(long_packet(0, scid=bytes(21), rest=bytes(40)), 0) is None
    assert long_header(long_packet(0, dcid=bytes(255), rest=bytes(40)), 0) is None
    assert long_header(long_packet(0, version=0x1A2A3A4A, dcid=bytes(255), rest=bytes(40)), 0) is not None  # RFC 8999


@pytest.mark.parametrize("version", [V1, V2, 0x1A2A3A4A, 0xFF00001D, 0xFF000022, 0xFACEB002])
def test_versions_that_clients_are_known_to_send(version: int) -> None:
    assert is_version(version)
    assert long_header(long_packet(2, version=version, rest=number(30) + bytes(30)), 0) is not None


@pytest.mark.parametrize("version", [0, 2, 0x00000100, 0x51303433, 0x12345678, 0xFFFFFFFF])
def test_other_numbers_are_no_versions(version: int) -> None:
    assert not is_version(version)


def test_every_beginning_of_a_packet_is_none() -> None:
    data = initial(RFC_FRAME, scid=b"12345678", token=b"token")
    assert all(long_header(data[:have], 0) is None for have in range(len(data)))
    assert long_header(data, 0) is not None


def test_a_short_header_or_one_without_the_fixed_bit_is_none() -> None:
    data = flight()[0]
    for first in (0x40, 0x7F, 0x80, 0xBF, 0x00):
        assert long_header(bytes((first,)) + data[1:], 0) is None


@settings(deadline=None, max_examples=300)
@given(
    st.binary(max_size=80), st.integers(0, 90), st.sampled_from([b"", b"\xc0\x00\x00\x00\x01", b"\xd0\x6b\x33\x43\xcf"])
)
def test_no_bytes_raise(data: bytes, at: int, start: bytes) -> None:
    header = long_header(start + data, at if not start else 0)
    assert header is None or 0 < header.end <= len(start + data)


def test_an_initial_of_the_rfc_begins_its_packet_number_at_byte_18() -> None:
    header = long_header(initial(RFC_FRAME, packet=2, number_length=4, size=1200), 0)
    assert header is not None
    assert (header.number_at, header.end, header.dcid) == (18, 1200, DCID)
