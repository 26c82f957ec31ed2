"""Segments as bytes: written here and read by scapy, and the other way round."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from middlebox.checksum import transport_ok
from middlebox.packet import ACK, SYN, view
from testbed.simulate.tcp.segment import MASK, Segment, decoded, unwrapped

FOUR = {"src": b"\x0a\0\0\1", "dst": b"\xcb\0\x71\1"}
SIX = {"src": b"\x20\1" + bytes(13) + b"\1", "dst": b"\x20\1" + bytes(13) + b"\2"}


def test_a_syn_has_the_options_of_linux_in_its_order() -> None:
    syn = Segment(40_000, 443, 7, 0, SYN, 64_240, times=(5, 0), mss=1_460, window_scale=7, sack_permitted=True)
    raw = syn.encode(**FOUR, ttl=64, ip_id=1)
    assert IP(raw)[TCP].options == [
        ("MSS", 1_460),
        ("SAckOK", b""),
        ("Timestamp", (5, 0)),
        ("NOP", None),
        ("WScale", 7),
    ]
    assert len(raw) == 20 + syn.length == 60


@pytest.mark.parametrize("addresses", [FOUR, SIX])
def test_data_with_sack_is_read_by_scapy_with_a_right_checksum(addresses: dict[str, bytes]) -> None:
    segment = Segment(1, 2, 3, 4, ACK, 5, b"data!", times=(6, 7), sacks=((10, 20), (30, 40)))
    raw = segment.encode(**addresses, ttl=9, ip_id=0)
    read = (IP if len(addresses["src"]) == 4 else IPv6)(raw)[TCP]
    assert (read.sport, read.dport, read.seq, read.ack, read.window, bytes(read.payload)) == (1, 2, 3, 4, 5, b"data!")
    assert dict(one for one in read.options if one[0] in ("Timestamp", "SAck")) == {
        "Timestamp": (6, 7),
        "SAck": (10, 20, 30, 40),
    }
    seen = view(raw)
    assert seen is not None
    assert transport_ok(seen)
    assert len(raw) - seen.header_end == segment.length


numbers = st.integers(0, MASK)


@given(
    seq=numbers,
    ack=numbers,
    payload=st.binary(max_size=50),
    times=st.none() | st.tuples(numbers, numbers),
    sacks=st.lists(st.tuples(numbers, numbers), max_size=3).map(tuple),
    mss=st.integers(0, 65_535),
    scale=st.none() | st.integers(0, 14),
    syn=st.booleans(),
    permitted=st.booleans(),
)
def test_what_is_written_is_read_again(
    seq: int,
    ack: int,
    payload: bytes,
    times: tuple[int, int] | None,
    sacks: tuple[tuple[int, int], ...],
    mss: int,
    scale: int | None,
    syn: bool,
    permitted: bool,
) -> None:
    segment = Segment(1, 2, seq, ack, SYN if syn else ACK, 9, payload, times)
    if syn:
        segment.mss, segment.window_scale, segment.sack_permitted = mss, scale, permitted
    else:
        segment.sacks = sacks
    seen = view(segment.encode(**FOUR, ttl=64, ip_id=0))
    assert seen is not None
    read = decoded(seen)
    assert read is not None
    for name in Segment.__slots__:
        assert getattr(read, name) == getattr(segment, name)
    assert read.length == segment.length
    assert read.numbers == len(payload) + syn


@given(st.binary(max_size=40))
def test_no_options_break_the_reader(options: bytes) -> None:
    options += bytes(-len(options) % 4)
    raw = bytes(IP() / TCP(dataofs=5 + len(options) // 4))[:40] + options
    seen = view(raw[:2] + len(raw).to_bytes(2, "big") + raw[4:])
    assert seen is not None
    assert decoded(seen) is not None


@given(near=st.integers(0, 1 << 40), away=st.integers(-(1 << 31) + 1, (1 << 31) - 1))
def test_a_number_is_unwrapped_to_the_nearest(near: int, away: int) -> None:
    assert unwrapped((near + away) & MASK, near) == near + away
