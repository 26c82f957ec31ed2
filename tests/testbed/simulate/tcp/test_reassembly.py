"""What came early, late, twice, or over something else."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from testbed.simulate.tcp.reassembly import Reassembly

DATA = bytes(Random(1).randbytes(2_000))


@given(
    cuts=st.lists(st.tuples(st.integers(0, 1_999), st.integers(1, 400)), max_size=60),
    seed=st.integers(0, 1_000),
)
def test_bytes_come_out_once_and_in_order_whatever_overlaps(cuts: list[tuple[int, int]], seed: int) -> None:
    pieces = [(begin, DATA[begin : begin + size]) for begin, size in cuts]
    pieces += [(begin, DATA[begin : begin + 100]) for begin in range(0, 2_000, 100)]
    Random(seed).shuffle(pieces)
    reassembly = Reassembly(0)
    got = b""
    for begin, piece in pieces:
        got += reassembly.take(begin, piece)
        assert got == DATA[: len(got)]
        assert reassembly.next_number == len(got)
    assert got == DATA
    assert not reassembly.missing
    assert reassembly.buffered == 0


def test_of_two_that_overlap_the_one_that_begins_earlier_is_believed() -> None:
    first = Reassembly(0)
    first.take(4, b"BBBB")
    first.take(2, b"aaaa")
    assert first.take(0, b"__") == b"__aaaaBB"
    second = Reassembly(0)
    second.take(2, b"aaaa")
    second.take(4, b"BBBB")
    assert second.take(0, b"__") == b"__aaaaBB"


def test_of_two_at_one_place_the_longer_one_is_believed_and_of_equals_the_first() -> None:
    longer = Reassembly(0)
    longer.take(2, b"aa")
    longer.take(2, b"BBB")
    assert longer.take(0, b"__") == b"__BBB"
    equal = Reassembly(0)
    equal.take(2, b"aa")
    equal.take(2, b"BB")
    assert equal.take(0, b"__") == b"__aa"


def test_what_covers_others_takes_their_place() -> None:
    reassembly = Reassembly(0)
    reassembly.take(3, b"a")
    reassembly.take(5, b"a")
    reassembly.take(2, b"BBBBB")
    assert reassembly.buffered == 5
    assert reassembly.take(0, b"__") == b"__BBBBB"


def test_blocks_tell_the_newest_first_and_join() -> None:
    reassembly = Reassembly(0)
    for begin in (100, 300, 500, 200):
        reassembly.take(begin, bytes(50))
    assert reassembly.blocks() == ((200, 250), (500, 550), (300, 350))
    reassembly.take(150, bytes(50))
    assert reassembly.blocks() == ((100, 250), (500, 550), (300, 350))
    assert reassembly.highest == 550


def test_what_came_twice_is_told_once_and_first() -> None:
    reassembly = Reassembly(100)
    assert reassembly.take(20, bytes(30)) == b""
    assert reassembly.blocks() == ((20, 50),)
    assert reassembly.blocks() == ()
    assert reassembly.take(90, b"0123456789abc") == b"abc"
    assert reassembly.blocks() == ((90, 100),)


def test_an_early_byte_that_lies_inside_another_segment_does_not_stay() -> None:
    reassembly = Reassembly(0)
    reassembly.take(10, bytes(10))
    assert len(reassembly.take(0, bytes(30))) == 30
    assert not reassembly.missing
    assert reassembly.blocks() == ()
