"""Hours and time zones."""

from __future__ import annotations

import pytest

from middlebox.grammar.clock import OFFSET, WINDOW_SCHEMA, day_window, offset_text
from middlebox.grammar.shape import Leaf
from tests.middlebox.grammar.reading import read, refusal

HOURS: Leaf[tuple[int, int]] = Leaf("hours", day_window, WINDOW_SCHEMA)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("08:00-20:00", (28_800, 72_000)), ("22:30 - 6:00", (81_000, 21_600)), ("00:00-24:00", (0, 86_400))],
)
def test_hours_are_seconds_after_midnight(text: str, seconds: tuple[int, int]) -> None:
    assert read(HOURS, text) == seconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [("8-20", "write it like: 08:00-20:00"), ("08:60-09:00", "the hours run from 00:00 to 24:00"),
     ("24:00-01:00", "the hours run from 00:00 to 24:00"),
     ("08:00-08:00", "it is empty; for the whole day leave 'time' out")],
)  # fmt: skip
def test_hours_that_are_none_are_refused(text: str, hint: str) -> None:
    assert refusal(HOURS, text).suggestion == hint


@pytest.mark.parametrize(("text", "seconds"), [("'+05:00'", 18_000), ("'-03:30'", -12_600), ("UTC", 0)])
def test_a_time_zone_is_an_offset(text: str, seconds: int) -> None:
    assert read(OFFSET, text) == seconds
    assert offset_text(seconds) == text.strip("'")


def test_a_time_zone_by_name_is_refused() -> None:
    assert refusal(OFFSET, "Asia/Tehran").suggestion == "write it like: '+05:00'"
    assert refusal(OFFSET, "'+15:00'").suggestion
