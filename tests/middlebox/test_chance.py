"""Chance that needs no state."""

from __future__ import annotations

from middlebox.ability import Draw
from middlebox.chance import fraction, take


def test_a_number_depends_on_the_seed_and_every_word() -> None:
    one = fraction(7, "rule", "flow")
    assert one == fraction(7, "rule", "flow")
    assert one != fraction(8, "rule", "flow")
    assert one != fraction(7, "rule2", "flow")
    assert one != fraction(7, "rule", "flow2")


def test_words_do_not_run_together() -> None:
    assert fraction(7, "ab", "c") != fraction(7, "a", "bc")


def test_the_numbers_are_even() -> None:
    """Twenty bins of 20,000 numbers: chi-square below its 99.9 % point for 19 degrees of freedom, 43.8."""
    bins = [0] * 20
    for index in range(20_000):
        bins[int(fraction(1, "even", index) * 20)] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in bins) < 43.8


def test_a_draw_reaches_both_ends() -> None:
    drawn = {take(Draw(5, 8), 1, "after", index) for index in range(200)}
    assert drawn == {5, 6, 7, 8}
