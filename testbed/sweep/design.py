"""Which points of the parameters are tried: all of a grid, or the draws of a Latin hypercube.

No list of points is ever held: each follows from its number alone, so that a sweep may have any number of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from middlebox.chance import fraction, number
from testbed.sweep.values import Parameter, Span

#: rounds of the keyed permutation; three are enough to look random, four if the key is known (Luby and Rackoff 1988)
_ROUNDS = 4


def count(parameters: Sequence[Parameter], draws: int) -> int:
    """How many points there are; without parameters one."""
    if not parameters:
        return 1
    return draws or math.prod(len(one.shown) for one in parameters)


def points(parameters: Sequence[Parameter], draws: int, seed: int) -> Iterator[tuple[tuple[str, str], ...]]:
    """Each point as (name, value) of each parameter; in a grid the last parameter varies fastest."""
    for index in range(count(parameters, draws)):
        yield _drawn(parameters, index, draws, seed) if draws else _on_grid(parameters, index)


def _on_grid(parameters: Sequence[Parameter], index: int) -> tuple[tuple[str, str], ...]:
    found = []
    for one in reversed(parameters):
        index, place = divmod(index, len(one.shown))
        found.append((one.name, one.shown[place]))
    return tuple(reversed(found))


def _drawn(parameters: Sequence[Parameter], index: int, draws: int, seed: int) -> tuple[tuple[str, str], ...]:
    """One draw: each parameter's range is cut into as many strata as there are draws, and each is met once.

    M. McKay, R. Beckman, W. Conover, Technometrics 21 (1979) 239. Each parameter is drawn by its own name, so that
    another one beside it changes nothing.
    """
    found = []
    for one in parameters:
        stratum = _shuffled(index, draws, seed, one.name)
        along = (stratum + fraction(seed, "stratum", one.name, stratum)) / draws
        if isinstance(one.values, Span):
            found.append((one.name, one.values.at(along)))
        else:
            found.append((one.name, one.values[int(along * len(one.values))]))
    return tuple(found)


def _shuffled(index: int, total: int, seed: int, name: str) -> int:
    """Where a shuffle of 0 to `total` - 1 puts `index`, without a list of them.

    A Feistel network permutes the next power of four; what falls outside walks on until it is inside (J. Black,
    P. Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002).
    """
    half = max(1, ((total - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for step in range(_ROUNDS):
            left, right = right, left ^ (number(seed, "order", name, step, right) & mask)
        index = left << half | right
        if index < total:
            return index
