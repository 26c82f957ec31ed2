"""What a sweep's table says: for each value of what is varied, a share or a median with its interval.

It draws nothing. A value is that of all rows that agree in what is asked for, whatever else was varied among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from testbed.stats import middle, wilson
from testbed.sweep.backends import Backend, Measure
from testbed.sweep.values import Parameter, Span, Sweep

if TYPE_CHECKING:
    import pandas as pd

#: values of a number beyond which they are put together into so many ranges
_MOST_VALUES, _RANGES = 16, 8
#: pairs of what is varied that a report shows, the first ones
MOST_PAIRS = 3


@dataclass(frozen=True, slots=True)
class Factor:
    """One thing that differs among the rows: a column, and its values in their order."""

    column: str
    labels: tuple[str, ...]
    places: tuple[float, ...] | None  #: where the values lie on an axis; None: they are words
    logarithmic: bool = False

    @property
    def count(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Value:
    """A share or a median of `n` rows, with an interval of 95 % (less for a median of fewer than six)."""

    value: float
    low: float
    high: float
    n: int


class Findings:
    """A table with the number of each row's value of each factor beside it."""

    def __init__(self, sweep: Sweep, backend: Backend, rows: pd.DataFrame) -> None:
        self.rows = rows
        self._codes: dict[str, pd.Series[int]] = {}
        found = [self._of_parameter(one) for one in sweep.parameters]
        self.parameters = [one for one in found if one.count > 1]
        words = dict.fromkeys(["policy", *backend.across])
        self.words = [one for one in map(self._of_words, words) if one.count > 1]

    def pairs(self) -> list[tuple[Factor, Factor]]:
        """What heat maps show against each other: parameters, or else what there is; a page shows `MOST_PAIRS`."""
        factors = self.parameters if len(self.parameters) > 1 else [*self.parameters, *self.words]
        return list(combinations(factors, 2))

    def value(self, measure: Measure, at: Sequence[tuple[Factor, int]]) -> Value | None:
        """What the rows say in which each factor has its value of this number; None without rows."""
        rows = self.rows
        chosen = rows[measure.column].notna()
        for column, wanted in measure.where.items():
            chosen &= rows[column] == wanted
        for factor, number in at:
            chosen &= self._codes[factor.column] == number
        column_ = rows.loc[chosen, measure.column]
        if not len(column_):
            return None
        if measure.hit is not None:
            share = wilson(int((column_ == measure.hit).sum()), len(column_))
            return Value(share.value, share.low, share.high, share.n)
        found = middle(float(one) for one in column_)
        assert found is not None
        return Value(found.value, found.low, found.high, found.n)

    def _of_words(self, column: str) -> Factor:
        import pandas as pd

        codes, words = pd.factorize(self.rows[column])  # in the order of the table, which is that of the plan
        self._codes[column] = pd.Series(codes, index=self.rows.index)
        return Factor(column, tuple(str(word) or "(none)" for word in words), None)

    def _of_parameter(self, parameter: Parameter) -> Factor:
        import pandas as pd

        if parameter.unit is None:
            return self._of_words(parameter.column)
        column = self.rows[parameter.column]
        known = sorted(float(one) for one in column.unique())
        if len(known) <= _MOST_VALUES:
            self._codes[parameter.column] = column.map({one: place for place, one in enumerate(known)})
            return Factor(parameter.column, tuple(f"{one:g}" for one in known), tuple(known), _widely(known))
        logarithmic = isinstance(parameter.values, Span) and parameter.values.logarithmic
        edges = _edges(known[0], known[-1], logarithmic)
        ranges = pd.cut(column, edges, labels=False, include_lowest=True)
        self._codes[parameter.column] = ranges
        middles = [math.sqrt(a * b) if logarithmic else (a + b) / 2 for a, b in pairwise(edges)]
        labels = tuple(f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges))
        return Factor(parameter.column, labels, tuple(middles), logarithmic)


def _edges(low: float, high: float, logarithmic: bool) -> list[float]:
    steps = [number / _RANGES for number in range(_RANGES + 1)]
    if logarithmic:
        return [low * (high / low) ** step for step in steps[:-1]] + [high]
    return [low + (high - low) * step for step in steps[:-1]] + [high]


def _widely(values: list[float]) -> bool:
    """Whether values are better shown on a logarithmic axis."""
    return values[0] > 0 and values[-1] / values[0] >= 20
