"""Frames of Initial packets, and CRYPTO bytes in any order."""

from __future__ import annotations

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.quic_frames import MAX_CRYPTO, MAX_FRAMES, CryptoBytes, crypto_pieces, first_frame
from tests.middlebox.dissect.quic_made import crypto, number

ACK = b"\x02" + number(9) + number(500) + number(2) + number(1) + number(0) + number(1) + number(2) + number(0)
ACK_ECN = b"\x03" + ACK[1:] + number(4) + number(5) + number(70_000)
CLOSE = b"\x1c" + number(0) + number(0) + number(2) + b"no"


def bytes_of(frames: bytes) -> list[tuple[int, bytes]] | None:
    pieces = crypto_pieces(frames)
    return None if pieces is None else [(offset, frames[start:end]) for offset, start, end in pieces]


def test_crypto_frames_are_found_among_all_that_an_initial_may_have() -> None:
    frames = bytes(5) + b"\x01" + crypto(7, b"two") + ACK + b"\x01\x00" + ACK_ECN + crypto(0, b"one") + bytes(30)
    assert bytes_of(frames) == [(7, b"two"), (0, b"one")]
    assert bytes_of(b"") == []
    assert bytes_of(bytes(1200)) == []
    assert bytes_of(crypto(0, b"one") + CLOSE + crypto(3, b"two")) == [(0, b"one")]


@pytest.mark.parametrize("kind", [0x04, 0x05, 0x07, 0x08, 0x0A, 0x1E, 0x30, 0xFF])
def test_a_frame_that_no_initial_has_makes_it_none(kind: int) -> None:
    """RFC 9000, table 3."""
    assert bytes_of(crypto(0, b"one") + bytes((kind,)) + bytes(20)) is None


@pytest.mark.parametrize("frame", [crypto(3, b"abcdef"), ACK, ACK_ECN])
def test_a_frame_that_is_cut_off_makes_it_none(frame: bytes) -> None:
    assert bytes_of(frame) is not None
    assert all(bytes_of(frame[:have]) is None for have in range(1, len(frame)))


def test_an_ack_that_promises_more_ranges_than_fit_costs_nothing() -> None:
    frame = b"\x02" + number(1) + number(0) + number(2**61) + number(0) + bytes(1000)
    began = process_time()
    assert bytes_of(frame) is None
    assert process_time() - began < 0.1


def test_more_frames_than_anybody_sends_make_it_none() -> None:
    assert bytes_of(b"\x01" * (MAX_FRAMES - 1)) == []
    assert bytes_of(b"\x01" * (MAX_FRAMES + 1)) is None


def test_the_first_frame_counts_whatever_its_length_says() -> None:
    assert first_frame(crypto(0, b"hello")) == 3
    assert first_frame(b"\x06\x00\x00hello") == 3
    assert first_frame(b"\x06\x00\x40\x00hello") == 4
    assert first_frame(crypto(1, b"hello")) == -1
    assert first_frame(b"\x00" + crypto(0, b"hello")) == -1
    assert first_frame(b"\x01" + crypto(0, b"hello")) == -1
    for beginning in (b"", b"\x06", b"\x06\x00", b"\x06\x00\x40"):
        assert first_frame(beginning) == -1


@settings(deadline=None, max_examples=200)
@given(st.binary(min_size=1, max_size=400), st.data())
def test_pieces_in_any_order_and_overlapping_make_the_whole(whole: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole)), max_size=12)) | {0, len(whole)})
    pieces = [(low, whole[low : min(high + data.draw(st.integers(0, 20)), len(whole))]) for low, high in pairwise(cuts)]
    again = data.draw(st.lists(st.sampled_from(pieces), max_size=4))
    joined = CryptoBytes()
    for offset, piece in data.draw(st.permutations([*pieces, *again])):
        joined.add(offset, piece)
    assert joined.whole == len(whole)
    assert bytes(joined.data) == whole


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=25)), max_size=15))
def test_of_two_copies_the_first_counts(pieces: list[tuple[int, bytes]]) -> None:
    joined = CryptoBytes()
    model: dict[int, int] = {}
    for offset, piece in pieces:
        joined.add(offset, piece)
        for at, code in enumerate(piece, offset):
            model.setdefault(at, code)
    whole = next(at for at in range(100) if at not in model)
    assert joined.whole == whole
    assert all(joined.data[at] == code for at, code in model.items())


def test_bytes_beyond_the_bound_are_left_out() -> None:
    joined = CryptoBytes()
    joined.add(MAX_CRYPTO - 2, b"abcd")
    joined.add(MAX_CRYPTO + 5, b"abcd")
    joined.add(2**61, b"abcd")
    assert len(joined.data) == MAX_CRYPTO
    assert joined.whole == 0


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120))
def test_no_bytes_raise(data: bytes) -> None:
    pieces = crypto_pieces(data)
    assert pieces is None or all(start <= end <= len(data) for _, start, end in pieces)
    assert first_frame(data) <= len(data)
