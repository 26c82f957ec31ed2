"""TCP reassembly: order, overlaps, wrap-around, bounds."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from middlebox.ability import Overlap, Reassembly, Sequence
from middlebox.stream import MAX_HOLES, Stream, distance

TEXT = b"the quick brown fox jumps over the lazy dog"


def stream(
    start: int = 1000,
    *,
    overlap: Overlap = Overlap.FIRST,
    sequence: Sequence = Sequence.WINDOW,
    segments: bool = True,
    window: int = 65_536,
    buffer: int = 32_768,
) -> Stream:
    limits = Reassembly(overlap=overlap, segments=segments, window=window, buffer=buffer)
    return Stream(start, limits, sequence)


@given(st.binary(min_size=1, max_size=200), st.integers(0, 2**32 - 1), st.data())
def test_any_cut_and_any_order_gives_the_bytes_back(text: bytes, start: int, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text)), max_size=20)) | {0, len(text)})
    parts = [(a, text[a:b]) for a, b in pairwise(cuts)]
    one = stream(start)
    for at, part in data.draw(st.permutations(parts)):
        one.add((start + at) & 0xFFFF_FFFF, part)
    assert bytes(one.data) == text
    assert one.expected == (start + len(text)) & 0xFFFF_FFFF
    assert not one.waiting


@given(
    st.sampled_from([Overlap.FIRST, Overlap.LAST]),
    st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=20)), max_size=12),
)
def test_overlaps_agree_with_a_byte_by_byte_model(overlap: Overlap, parts: list[tuple[int, bytes]]) -> None:
    """The model keeps one cell a byte: the first copy stays, or the last one wins."""
    cells: dict[int, int] = {}
    one = stream(0, overlap=overlap)
    for at, part in parts:
        one.add(at, part)
        for index, byte in enumerate(part, at):
            if overlap is Overlap.LAST or index not in cells:
                cells[index] = byte
    whole = bytearray()
    while len(whole) in cells:
        whole.append(cells[len(whole)])
    assert bytes(one.data) == bytes(whole)


def test_one_byte_segments_across_the_end_of_the_sequence_space() -> None:
    start = 2**32 - 10
    one = stream(start)
    for index in range(len(TEXT)):
        assert one.add((start + index) & 0xFFFF_FFFF, TEXT[index : index + 1])
    assert bytes(one.data) == TEXT


def test_the_first_copy_counts_unless_the_last_does() -> None:
    for overlap, expected in ((Overlap.FIRST, b"abcdef"), (Overlap.LAST, b"abXYef")):
        one = stream(overlap=overlap)
        one.add(1002, b"cd")
        one.add(1002, b"XY")
        one.add(1004, b"ef")
        one.add(1000, b"ab")
        assert bytes(one.data) == expected


def test_a_late_copy_of_bytes_not_yet_read_counts_only_under_last() -> None:
    for overlap, expected in ((Overlap.FIRST, b"abcd"), (Overlap.LAST, b"aXYd")):
        one = stream(overlap=overlap)
        one.add(1000, b"abcd")
        one.add(1001, b"XY")
        assert bytes(one.data) == expected


def test_strict_gives_up_when_copies_disagree_and_not_when_they_agree() -> None:
    one = stream(overlap=Overlap.STRICT)
    one.add(1002, b"cd")
    one.add(1002, b"cd")
    one.add(1000, b"abc")
    assert bytes(one.data) == b"abcd"
    assert not one.broken
    one.add(1003, b"X")
    assert one.broken


def test_strict_sees_a_disagreement_behind_a_hole() -> None:
    one = stream(overlap=Overlap.STRICT)
    one.add(1002, b"cd")
    one.add(1001, b"bX")
    assert one.broken


def test_bytes_beyond_the_window_are_not_kept() -> None:
    one = stream(window=10)
    assert not one.add(1020, b"far away")
    one.add(1008, b"89ABCDEF")
    one.add(1000, b"01234567")
    assert bytes(one.data) == b"0123456789"


def test_a_message_that_outgrows_the_buffer_ends_the_reading() -> None:
    one = stream(buffer=8)
    one.add(1000, b"123456789")
    assert one.broken
    assert not one.data


def test_the_holes_are_bounded() -> None:
    one = stream()
    for index in range(5_000):
        one.add(1001 + 2 * index, b"x")
    assert len(one._ranges) <= MAX_HOLES
    assert len(one._ahead) <= 65_536


def test_without_reassembly_each_segment_stands_alone() -> None:
    one = stream(segments=False)
    assert one.add(1000, b"GET / HT")
    assert one.add(1008, b"TP/1.1")
    assert bytes(one.data) == b"TP/1.1"


def test_exact_takes_the_expected_number_alone() -> None:
    one = stream(sequence=Sequence.EXACT)
    assert not one.add(1001, b"b")
    assert one.add(1000, b"a")
    assert not one.add(1000, b"a")
    assert bytes(one.data) == b"a"


def test_any_takes_whatever_number() -> None:
    one = stream(sequence=Sequence.ANY)
    assert one.add(77, b"a")
    assert one.add(5, b"b")
    assert bytes(one.data) == b"ab"


def test_distance_is_signed_and_wraps() -> None:
    assert distance(5, 2**32 - 5) == 10
    assert distance(2**32 - 5, 5) == -10
    assert distance(7, 7) == 0


def test_a_move_forgets_what_has_come() -> None:
    one = stream()
    one.add(1000, b"abc")
    one.add(1010, b"xyz")
    one.move(5000)
    assert not one.data
    assert not one.waiting
    one.add(5000, b"new")
    assert bytes(one.data) == b"new"


def test_the_rest_of_a_message_that_was_read_is_not_kept() -> None:
    one = stream()
    one.add(1000, b"POST head")
    one.consume(9 + 4)
    one.add(1009, b"bod")
    assert not one.data
    one.add(1012, b"yGET")
    assert bytes(one.data) == b"GET"
