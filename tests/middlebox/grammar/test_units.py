"""Times, sizes, shares, whole numbers: with their units, exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlebox.ability import Draw
from middlebox.grammar.shape import Leaf
from middlebox.grammar.units import (
    PACKETS,
    SHARE,
    SIZE,
    TIME,
    TIMES,
    integer,
    number_range,
    share_text,
    size_text,
    time_text,
    times_text,
    whole,
)
from tests.middlebox.grammar.reading import read, refusal


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("7 ns", 7), ("1.5 us", 1_500), ("2ms", 2_000_000), ("0 s", 0), ("120 s", 120 * 10**9), ("10 min", 600 * 10**9),
     ("1 h", 3600 * 10**9), ("0.1 ms", 100_000), ("0.3 s", 300_000_000)],
)  # fmt: skip
def test_times_are_whole_nanoseconds(text: str, nanoseconds: int) -> None:
    assert read(TIME, text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [("120", "which unit? write it like: 120 s"), ("5 sec", "which unit? write it like: 5 s"),
     ("5 m", "which unit? write it like: 5 min"), ("-5 s", "write it like: 120 s"), ("soon", "write it like: 120 s"),
     ("1-2 s", "one value, not a range"), ("3 days", "write it like: 120 s")],
)  # fmt: skip
def test_a_time_without_a_known_unit_is_refused(text: str, hint: str) -> None:
    assert refusal(TIME, text).suggestion == hint


def test_a_range_of_times() -> None:
    assert read(TIMES, "1-3 ms") == Draw(1_000_000, 3_000_000)
    assert read(TIMES, "0.5 - 1.5 s") == Draw(500_000_000, 1_500_000_000)
    assert read(TIMES, "2 ms").fixed
    assert refusal(TIMES, "3-1 ms").suggestion == "the range is empty; write: 1-3 ms"


@given(st.integers(0, 10**15))
def test_a_time_reads_as_it_was_written(nanoseconds: int) -> None:
    assert read(TIME, f"'{time_text(nanoseconds)}'") == nanoseconds


@given(st.integers(0, 10**9))
def test_a_size_reads_as_it_was_written(count: int) -> None:
    assert read(SIZE, size_text(count)) == count


def test_sizes_and_their_units() -> None:
    assert read(SIZE, "101 bytes") == 101
    assert read(SIZE, "64 kB") == 64_000
    assert read(SIZE, "1 MB") == 1_000_000
    assert refusal(SIZE, "64").suggestion == "which unit? write it like: 64 B"
    assert refusal(SIZE, "64 KB").suggestion == "which unit? write it like: 64 kB"


def test_shares() -> None:
    assert read(SHARE, "98 %") == 0.98
    assert read(SHARE, "26.3%") == 0.263
    assert read(SHARE, "100 %") == 1
    assert share_text(0.263) == "26.3 %"
    assert refusal(SHARE, "0.98").suggestion == "write: 98 %"
    assert refusal(SHARE, "50").suggestion == "write: 50 %"
    assert refusal(SHARE, "0 %").suggestion == "it must lie above 0 % and up to 100 %"


def test_whole_numbers_and_ranges() -> None:
    assert whole("0xFfCe") == 0xFFCE
    assert whole("1.0") is None
    assert number_range("1 - 0x10") == (1, 16)
    assert number_range("-5") is None
    port = integer(0, 65_535)
    assert read(port, "0x10") == 16
    assert refusal(port, "65536").expected == "a whole number from 0 to 65535"
    assert refusal(port, "'80'").suggestion == "write the number without quotes"
    assert read(integer(-10), "-3") == -3


def test_packets() -> None:
    assert read(PACKETS, "5-8 packets") == Draw(5, 8)
    assert read(PACKETS, "1 packet") == Draw(1, 1)
    assert read(PACKETS, "3") == Draw(3, 3)
    assert refusal(PACKETS, "8-5 packets").suggestion == "the range is empty; write: 5-8 packets"
    assert refusal(PACKETS, "some").suggestion == "write it like: 5-8 packets"


def test_texts_for_people() -> None:
    assert time_text(1_500_000) == "1.5 ms"
    assert time_text(1_234_567) == "1234.567 us"
    assert times_text(Draw(1_000_000, 3_000_000)) == "1-3 ms"
    assert times_text(Draw(500_000, 1_000_000_000)) == "500 us to 1 s"


@pytest.mark.parametrize("leaf", [TIME, SIZE, SHARE, PACKETS, integer(0)])
def test_a_number_of_thousands_of_digits_is_refused_like_any_other_that_does_not_fit(leaf: Leaf[object]) -> None:
    for text in ("9" * 5_000, f"{'9' * 5_000} h", f"0.{'0' * 5_000}1 %", "0x" + "f" * 5_000):
        assert refusal(leaf, text)
