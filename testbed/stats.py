"""What a few attempts allow to say: shares and medians with their intervals.

No hypothesis tests and no models; a reader compares intervals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist, median


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `n`, with the Wilson score interval of the share."""

    hits: int
    n: int
    low: float  #: 0 to 1
    high: float

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else math.nan

    def __str__(self) -> str:
        if not self.n:
            return "0 of 0"
        interval = f"95 % interval {percent(self.low)} to {percent(self.high)}"
        return f"{self.hits} of {self.n} ({percent(self.value)}, {interval})"


@dataclass(frozen=True, slots=True)
class Median:
    """A median and two of the values around it that hold it with at least `coverage`."""

    value: float
    low: float
    high: float
    n: int
    coverage: float  #: below 0.95 when there are fewer than six values: then the interval is the whole range

    @property
    def interval(self) -> str:
        """See `interval`."""
        return interval(self.coverage)


def interval(coverage: float) -> str:
    """What an interval is called: "95 % interval", or of few values by what it covers; of a single one it is none."""
    return f"{percent(min(coverage, 0.95))} interval" if coverage > 0 else "one value"


def percent(share: float) -> str:
    """0.098 -> "9.8 %", 1.0 -> "100 %"."""
    number = round(share * 100, 1)
    return f"{number:.0f} %" if number == int(number) else f"{number:.1f} %"


def wilson(hits: int, n: int, confidence: float = 0.95) -> Share:
    """The Wilson score interval without continuity correction.

    E. B. Wilson, JASA 22 (1927) 209; R. G. Newcombe, Statistics in Medicine 17 (1998) 857, method 3. Unlike the
    textbook's interval it is right near 0 and 1 and for ten attempts, which is where blocked shares lie.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is no share")
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence of {confidence}; it must lie between 0 and 1")
    if n == 0:
        return Share(0, 0, 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else centre - half  # exact at the ends, where rounding would leave 1e-17
    high = 1.0 if hits == n else centre + half
    return Share(hits, n, low, high)


def middle(values: Iterable[float], confidence: float = 0.95) -> Median | None:
    """The median with the narrowest symmetric order-statistic interval of at least `confidence`; None of no values.

    Needs no assumption about the distribution (H. A. David, Order Statistics, section 2.5): the number of values
    below the median is binomial with p = 1/2.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n == 0:
        return None
    best = 0
    term = tail = 1  # of 2^n ways to lie around the median, those in which `best` values or fewer lie below it
    covered = _left(tail, n)
    for index in range(1, n // 2):
        term = term * (n - index + 1) // index
        share = _left(tail + term, n)
        if share < confidence:
            break
        best, covered, tail = index, share, tail + term
    return Median(median(ordered), ordered[best], ordered[n - 1 - best], n, covered)


def _left(tail: int, n: int) -> float:
    """The share of 2^n that is left between two tails; divided as whole numbers, which hold any n."""
    tails: float = 2 * tail / 2**n
    return max(0.0, 1.0 - tails)


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as large some values are as others, with an interval of at least `coverage`."""

    value: float
    low: float
    high: float
    coverage: float  #: below 0.95 when there are too few values: then the interval is the whole range

    @property
    def interval(self) -> str:
        """See `interval`."""
        return interval(self.coverage)


def ratio(values: Iterable[float], others: Iterable[float], confidence: float = 0.95) -> Ratio | None:
    """The Hodges-Lehmann estimate of values over others, with Moses' exact interval; None without values above 0.

    The estimate is the median of all ratios of one value and one other; the interval ends at two of these ratios, and
    which ones follows from the distribution of the Mann-Whitney statistic. It assumes that the values are the others
    times a factor, and nothing about how they are distributed (M. Hollander, D. A. Wolfe, Nonparametric Statistical
    Methods, 2nd edition, sections 4.2 and 4.3, on the logarithms).
    """
    ours, theirs = [one for one in values if one > 0], [one for one in others if one > 0]
    if not ours or not theirs:
        return None
    ratios = sorted(one / other for one in ours for other in theirs)
    counts = _mann_whitney(len(ours), len(theirs))
    total, tail, place = sum(counts), 0, 0
    while place < (len(ratios) - 1) // 2 and 2 * (tail + counts[place]) <= (1 - confidence) * total:
        tail += counts[place]
        place += 1
    left_out = max(0, place - 1)
    covered = 1 - 2 * (sum(counts[: left_out + 1])) / total
    return Ratio(median(ratios), ratios[left_out], ratios[len(ratios) - 1 - left_out], max(0.0, covered))


def _mann_whitney(n: int, m: int) -> list[int]:
    """In how many ways each value of the statistic, 0 to n * m, comes about: a Gaussian binomial's coefficients."""
    counts = [1] + [0] * (n * m)
    for number in range(1, n + 1):
        for place in range(n * m, m + number - 1, -1):  # times 1 - q^(m + number)
            counts[place] -= counts[place - m - number]
        for place in range(number, n * m + 1):  # divided by 1 - q^number
            counts[place] += counts[place - number]
    return counts
