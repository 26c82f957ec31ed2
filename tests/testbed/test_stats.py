"""Intervals against published values and against their definition."""

import math
import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.stats import _mann_whitney, middle, percent, ratio, wilson


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # R. G. Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_published_intervals(hits: int, n: int, low: float, high: float) -> None:
    share = wilson(hits, n)
    assert share.low == pytest.approx(low, abs=5e-5)
    assert share.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_is_symmetric(pair: tuple[int, int]) -> None:
    hits, n = pair
    share, other = wilson(hits, n), wilson(n - hits, n)
    assert 0 <= share.low <= share.value <= share.high <= 1
    assert share.low == pytest.approx(1 - other.high, abs=1e-12)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(1, n - 1) if n > 1 else st.just(0), st.just(n))))
def test_at_the_ends_the_score_test_just_rejects(pair: tuple[int, int]) -> None:
    hits, n = pair
    share = wilson(hits, n)
    for end in (share.low, share.high):
        if 0 < end < 1:  # the interval is where |hits/n - p| <= z * sqrt(p (1 - p) / n)
            assert abs(share.value - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / n), rel=1e-5)


def test_without_attempts_nothing_is_known() -> None:
    share = wilson(0, 0)
    assert (share.low, share.high) == (0.0, 1.0)
    assert math.isnan(share.value)
    assert str(share) == "0 of 0"


def test_impossible_shares_are_refused() -> None:
    with pytest.raises(ValueError, match="11 of 10"):
        wilson(11, 10)
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, 95)


def test_shares_read_like_a_paper() -> None:
    assert str(wilson(10, 10)) == "10 of 10 (100 %, 95 % interval 72.2 % to 100 %)"
    assert percent(0.0984) == "9.8 %"


def test_the_median_interval_takes_the_published_ranks() -> None:
    # Conover, Practical Nonparametric Statistics, table A3: n = 10 ranks 2 and 9 (97.9 %), n = 20 ranks 6 and 15
    ten = middle(range(1, 11))
    assert ten is not None
    assert (ten.value, ten.low, ten.high, ten.n) == (5.5, 2, 9, 10)
    assert ten.coverage == pytest.approx(0.9785, abs=5e-5)
    twenty = middle(range(1, 21))
    assert twenty is not None
    assert (twenty.low, twenty.high) == (6, 15)


def test_few_values_give_their_range_and_say_so() -> None:
    three = middle([3.0, 1.0, 2.0])
    assert three is not None
    assert (three.low, three.value, three.high) == (1.0, 2.0, 3.0)
    assert three.coverage == pytest.approx(0.75)
    assert middle([]) is None


def test_the_median_interval_covers_as_often_as_it_says() -> None:
    rng = random.Random(5)
    inside = 0
    for _ in range(2000):
        found = middle(rng.expovariate(1.0) for _ in range(15))
        assert found is not None
        inside += found.low <= math.log(2) <= found.high
    assert inside / 2000 == pytest.approx(0.9648, abs=0.015)  # ranks 4 and 12 of 15


def test_a_ratio_is_the_median_of_all_ratios_with_an_exact_interval() -> None:
    # Hollander and Wolfe: with 5 and 5 values the third smallest and the third largest of 25, 1 - 2 * 4/252
    found = ratio([2, 2.1, 2.2, 1.9, 2], [1, 1.1, 0.9, 1, 1])
    assert found is not None
    pairs = sorted(one / other for one in (2, 2.1, 2.2, 1.9, 2) for other in (1, 1.1, 0.9, 1, 1))
    assert (found.value, found.low, found.high) == (2.0, pairs[2], pairs[-3])
    assert found.coverage == pytest.approx(1 - 8 / 252)


def test_the_ways_of_a_statistic_are_those_counted_one_by_one() -> None:
    for n, m in ((1, 1), (2, 3), (4, 3), (5, 5)):
        counted = [0] * (n * m + 1)
        for places in combinations(range(n + m), n):
            counted[sum(place - rank for rank, place in enumerate(places))] += 1
        assert _mann_whitney(n, m) == counted


def test_few_values_have_the_whole_range_as_their_interval() -> None:
    found = ratio([2, 3], [1])
    assert found is not None
    assert (found.low, found.high) == (2, 3)
    assert found.coverage < 0.95
    assert ratio([], [1]) is None
    assert ratio([0.0], [1]) is None


def test_an_interval_of_few_values_is_called_by_what_it_covers() -> None:
    called = {n: made.interval for n in (2, 5, 6, 30) if (made := middle(range(n)))}
    assert called == {2: "50 % interval", 5: "93.8 % interval", 6: "95 % interval", 30: "95 % interval"}


def test_the_median_of_thousands_has_an_interval_too() -> None:
    found = middle(range(5_001))
    assert found is not None
    assert found.value == 2_500
    # the ranks of the normal approximation, 1 + n/2 - 1.96 sqrt(n)/2, rounded
    assert abs(found.low - (2_500 - 69)) <= 1
    assert abs(found.high - (2_500 + 69)) <= 1
    assert 0.95 <= found.coverage < 0.953
