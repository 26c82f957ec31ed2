"""Fragments into datagrams, cut by scapy and by hand."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, fragment6
from scapy.packet import Packet, Raw

from middlebox.ability import Overlap
from middlebox.checksum import ipv4_header_ok, transport_ok
from middlebox.fragments import Reassembly, Result
from middlebox.packet import PacketView, view

S = 1_000_000_000


def box(
    *,
    max_fragments: int = 64,
    max_datagrams: int = 16,
    overlap: Overlap = Overlap.FIRST,
    max_bytes: int = 1_000_000,
) -> Reassembly:
    return Reassembly(
        max_fragments=max_fragments,
        max_datagrams=max_datagrams,
        timeout_ns=30 * S,
        overlap=overlap,
        max_bytes=max_bytes,
    )


def seen(packet: Packet | bytes) -> PacketView:
    found = view(bytes(packet))
    assert found is not None
    return found


def piece(start: int, data: bytes, *, more: bool, ident: int = 7) -> PacketView:
    packet = IP(src="10.0.0.1", dst="203.0.113.5", proto=17, id=ident, frag=start // 8, flags="MF" if more else 0)
    return seen(packet / Raw(data))


def six(start: int, data: bytes, *, more: bool) -> PacketView:
    header = IPv6ExtHdrFragment(nh=17, id=7, offset=start // 8, m=int(more))
    return seen(IPv6(src="2001:db8::1", dst="2001:db8::5") / header / Raw(data))


def body(result: Result) -> bytes:
    assert result.datagram is not None
    return result.datagram[20:]


@st.composite
def cuts(draw: st.DrawFn) -> tuple[bytes, list[tuple[int, int]]]:
    """A body, and how it is cut into pieces in some order."""
    data = draw(st.binary(min_size=17, max_size=400))
    inner = draw(st.sets(st.integers(1, (len(data) - 1) // 8), min_size=1))
    bounds = [0, *sorted(8 * at for at in inner), len(data)]
    return data, draw(st.permutations(list(pairwise(bounds))))


@given(cuts())
def test_any_split_in_any_order_gives_the_datagram_back(cut: tuple[bytes, list[tuple[int, int]]]) -> None:
    data, order = cut
    for make in (piece, six):
        parts = box()
        results = [parts.add(make(low, data[low:high], more=high < len(data)), 0) for low, high in order]
        assert all(result.datagram is None and not result.refused for result in results[:-1])
        datagram = results[-1].datagram
        assert datagram is not None
        whole = seen(datagram)
        assert datagram[whole.header_end :] == data
        assert not whole.is_fragment
        assert ipv4_header_ok(whole)
        assert (len(parts), parts.held, parts.completed) == (0, 0, 1)


def test_what_scapy_cuts_comes_back_byte_for_byte() -> None:
    original = IP(src="10.0.0.1", dst="203.0.113.5", id=99, flags=0) / TCP(flags="PA") / Raw(bytes(range(256)) * 4)
    parts = box()
    results = [parts.add(seen(part), 0) for part in reversed(fragment(original, fragsize=200))]  # type: ignore[no-untyped-call]
    assert results[-1].datagram == bytes(original)


def test_an_ipv6_datagram_comes_back_without_its_fragment_header() -> None:
    chain = IPv6(src="2001:db8::1", dst="2001:db8::5") / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment()
    original = chain / TCP(flags="PA") / Raw(bytes(range(256)) * 8)
    parts = box()
    results = [parts.add(seen(part), 0) for part in fragment6(original, 600)]  # type: ignore[no-untyped-call]
    assert len(results) > 3
    datagram = results[-1].datagram
    assert datagram is not None
    whole = seen(datagram)
    assert transport_ok(whole)
    assert whole.payload == bytes(range(256)) * 8
    assert (whole.extension_headers, whole.is_fragment) == (1, False)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [(Overlap.FIRST, b"A" * 16 + b"B" * 8), (Overlap.LAST, b"A" * 8 + b"B" * 16)],
)
def test_the_box_decides_which_of_two_copies_counts(overlap: Overlap, expected: bytes) -> None:
    parts = box(overlap=overlap)
    assert parts.add(piece(0, b"A" * 16, more=True), 0).datagram is None
    assert body(parts.add(piece(8, b"B" * 16, more=False), 0)) == expected


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [(Overlap.FIRST, b"aaaaaaaaBBBBBBBBaaaaaaaaCCCCCCCC"), (Overlap.LAST, b"A" * 24 + b"CCCCCCCC")],
)
def test_a_piece_around_another_one_fills_both_sides_or_covers_it(overlap: Overlap, expected: bytes) -> None:
    parts = box(overlap=overlap)
    parts.add(piece(8, b"B" * 8, more=True), 0)
    parts.add(piece(24, b"C" * 8, more=False), 0)
    fresh = b"a" * 24 if overlap is Overlap.FIRST else b"A" * 24
    assert body(parts.add(piece(0, fresh, more=True), 0)) == expected


def test_a_strict_box_refuses_a_disagreement_and_all_that_follows() -> None:
    parts = box(overlap=Overlap.STRICT)
    parts.add(piece(0, b"A" * 16, more=True), 0)
    assert not parts.add(piece(0, b"A" * 16, more=True), 0).refused
    result = parts.add(piece(8, b"B" * 16, more=False), 0)
    assert result.refused
    assert "disagree" in result.words
    assert parts.add(piece(16, b"A" * 8, more=False), 0).words == "refused: its datagram has been given up"
    assert (parts.held, parts.refused) == (0, 2)


def test_a_datagram_of_too_many_fragments_is_given_up() -> None:
    parts = box(max_fragments=3)
    for at in range(3):
        assert not parts.add(piece(at * 8, b"x" * 8, more=True), 0).refused
    assert "more than 3 fragments" in parts.add(piece(24, b"x" * 8, more=False), 0).words


def test_the_oldest_of_too_many_datagrams_goes() -> None:
    parts = box(max_datagrams=2)
    for ident in range(3):
        parts.add(piece(0, b"x" * 8, more=True, ident=ident), ident)
    assert (len(parts), parts.evicted, parts.held) == (2, 1, 16)
    assert parts.add(piece(8, b"y", more=False, ident=0), 3).datagram is None
    assert parts.add(piece(8, b"y", more=False, ident=2), 3).datagram is not None


def test_the_bytes_of_all_datagrams_are_bounded() -> None:
    parts = box(max_bytes=1_000)
    for ident in range(50):
        parts.add(piece(0, b"x" * 400, more=True, ident=ident), 0)
        assert parts.held <= 1_000
    assert parts.evicted == 48


def test_a_datagram_is_forgotten_after_its_time() -> None:
    parts = box()
    parts.add(piece(0, b"x" * 8, more=True), 0)
    assert parts.add(piece(8, b"y", more=False), 30 * S).datagram is None
    assert parts.expired == 1


def test_datagrams_are_told_apart_by_ends_protocol_and_identification() -> None:
    parts = box()
    parts.add(piece(0, b"x" * 8, more=True), 0)
    assert parts.add(piece(8, b"y", more=False, ident=8), 0).datagram is None
    other = IP(src="10.0.0.2", dst="203.0.113.5", proto=17, id=7, frag=1) / Raw(b"y")
    assert parts.add(seen(other), 0).datagram is None
    other = IP(src="10.0.0.1", dst="203.0.113.5", proto=6, id=7, frag=1) / Raw(b"y")
    assert parts.add(seen(other), 0).datagram is None
    assert parts.add(piece(8, b"y", more=False), 0).datagram is not None


@pytest.mark.parametrize(
    ("fragments", "words"),
    [
        ([piece(0, b"", more=True)], "without data"),
        ([piece(65528, b"x" * 8, more=False)], "beyond the largest datagram"),
        ([piece(8, b"x" * 8, more=False), piece(16, b"x" * 8, more=False)], "two last fragments"),
        ([piece(8, b"x" * 8, more=False), piece(16, b"x" * 8, more=True)], "beyond the last one"),
        ([piece(16, b"x" * 8, more=True), piece(8, b"x" * 8, more=False)], "beyond the last one"),
        ([six(0, b"x" * 7, more=True)], "no multiple of 8"),
        ([seen(IP() / UDP())], "not a fragment"),
        ([seen(IPv6() / UDP())], "not a fragment"),
        ([seen(IPv6() / IPv6ExtHdrFragment() / UDP())], "not a fragment"),
    ],
)
def test_what_cannot_be_is_refused_and_said(fragments: list[PacketView], words: str) -> None:
    parts = box()
    result = [parts.add(part, 0) for part in fragments][-1]
    assert result.refused
    assert words in result.words
    assert parts.held == 0


def test_an_ipv4_fragment_of_odd_length_counts_up_to_its_last_block() -> None:
    parts = box()
    parts.add(piece(0, b"x" * 13, more=True), 0)
    assert body(parts.add(piece(8, b"yy", more=False), 0)) == b"x" * 8 + b"yy"


@given(st.lists(st.tuples(st.integers(0, 12), st.binary(max_size=40), st.booleans(), st.booleans()), max_size=40))
def test_no_fragments_raise_and_the_bytes_are_counted_right(
    fragments: list[tuple[int, bytes, bool, bool]],
) -> None:
    for overlap in Overlap:
        parts = box(overlap=overlap, max_fragments=12, max_datagrams=2, max_bytes=100)
        for start, data, more, other in fragments:
            parts.add(piece(start * 8, data, more=more, ident=int(other)), 0)
            parts.add(six(start * 8, data, more=more), 0)
            assert 0 <= parts.held <= 100
            assert len(parts) <= 2


def test_thousands_of_fragments_in_any_order_take_no_quadratic_time() -> None:
    body = bytes(range(256)) * 255
    whole = IP(src="10.0.0.1", dst="203.0.113.5", id=9, proto=253) / Raw(body)
    cut: list[Packet] = fragment(whole, fragsize=8)  # type: ignore[no-untyped-call]
    views = [seen(piece) for piece in cut]
    Random(7).shuffle(views)
    reassembly = box(max_fragments=len(cut))
    began = process_time()
    results = [reassembly.add(one, 0) for one in views]
    assert process_time() - began < 2
    datagram = results[-1].datagram
    assert datagram is not None
    assert datagram[20:] == body
