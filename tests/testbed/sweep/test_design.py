"""Grids and Latin hypercubes."""

from __future__ import annotations

from collections import Counter

import pytest

from testbed.sweep import design
from testbed.sweep.values import Parameter, Span

WORDS = Parameter("w", ("a", "b", "c"))
NUMBERS = Parameter("n", ("1", "2"))
SPAN = Parameter("s", Span(0, 100))


def test_a_grid_has_every_combination_and_the_last_varies_fastest() -> None:
    found = list(design.points([WORDS, NUMBERS], 0, 1))
    assert found == [(("w", w), ("n", n)) for w in "abc" for n in "12"]
    assert design.count([WORDS, NUMBERS], 0) == 6


def test_without_parameters_there_is_one_point() -> None:
    assert list(design.points([], 0, 1)) == [()]
    assert design.count([], 0) == 1


@pytest.mark.parametrize("draws", [1, 2, 3, 10, 97, 1000])
def test_each_stratum_of_a_hypercube_is_met_exactly_once(draws: int) -> None:
    strata = Counter(int(float(dict(point)["s"]) / 100 * draws) for point in design.points([SPAN], draws, 7))
    assert strata == Counter(range(draws))


def test_words_are_drawn_evenly() -> None:
    found = Counter(dict(point)["w"] for point in design.points([WORDS], 300, 1))
    assert found == {"a": 100, "b": 100, "c": 100}


def test_two_parameters_are_drawn_apart() -> None:
    """Spearman's rank correlation of two columns of 1,000 draws: 0.1 would be three standard deviations."""
    other = Parameter("t", Span(0, 100))
    found = [dict(point) for point in design.points([SPAN, other], 1000, 1)]
    ranks = [(int(float(one["s"]) * 10), int(float(one["t"]) * 10)) for one in found]
    correlation = 1 - 6 * sum((a - b) ** 2 for a, b in ranks) / (1000 * (1000**2 - 1))
    assert abs(correlation) < 0.1


def test_another_parameter_beside_it_changes_no_draw_and_another_seed_does() -> None:
    alone = [dict(point)["s"] for point in design.points([SPAN], 20, 1)]
    beside = [dict(point)["s"] for point in design.points([WORDS, SPAN], 20, 1)]
    assert alone == beside
    assert alone != [dict(point)["s"] for point in design.points([SPAN], 20, 2)]


def test_draws_are_the_same_on_every_machine() -> None:
    assert [dict(point)["s"] for point in design.points([SPAN], 3, 1)] == GOLDEN


#: computed once; another value here means that every sweep of before has other cells now
GOLDEN = ["82.0408", "36.9069", "21.5634"]
