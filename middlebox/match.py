"""The question of a rule: an expression over typed fields, answered yes, no, or not known yet.

Three-valued (Kleene) on purpose: while a ClientHello is still arriving, neither `tls.sni` nor its negation may fire.
Which fields there are is said by `fields`; nothing here reads a packet.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from middlebox.ability import Network

#: texts to look for one after the other; more of them are looked up in sets
MANY_NEEDLES: Final = 64


class Unknown:
    """The type of `UNKNOWN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


#: the value of a field that later packets may still tell
UNKNOWN: Final = Unknown()


# classes, and not protocols: compiled, a call of what a class declares costs a tenth
class Look:
    """One packet in its flow, as the match sees it."""

    __slots__ = ()

    def value(self, name: str) -> object:
        """The field's value; None if there is none; `UNKNOWN` if it may still come."""
        raise NotImplementedError


class Match:
    """A node of the expression."""

    __slots__ = ()

    def test(self, look: Look) -> bool | None:
        """True, False, or None for "not known yet"."""
        raise NotImplementedError

    def fields(self) -> frozenset[str]:
        """The names of all fields that it asks for."""
        raise NotImplementedError


class Operator:
    """The comparison at a leaf."""

    __slots__ = ()

    def holds(self, value: object) -> bool:
        """Whether it does for this value, which is never None or `UNKNOWN`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Is(Operator):
    """The value is one of these; of a value that is a list, any element is."""

    values: frozenset[object]

    def holds(self, value: object) -> bool:
        if isinstance(value, tuple):
            return any(element in self.values for element in value)
        return value in self.values


@dataclass(frozen=True, slots=True)
class Under(Operator):
    """The name is one of these or a subdomain of one: suffixes end on a label boundary.

    The time is that of a name's number of labels, whatever the size of the set.
    """

    names: frozenset[str]

    def holds(self, value: object) -> bool:
        assert isinstance(value, str)
        name = value
        while True:
            if name in self.names:
                return True
            dot = name.find(".")
            if dot < 0:
                return False
            name = name[dot + 1 :]


@dataclass(frozen=True, slots=True)
class Contains(Operator):
    """One of these stands somewhere in the text: no anchors, so `t.co` is in `reddit.com` (Twitter, March 2021)."""

    needles: tuple[str, ...]
    #: of many needles: those of each length; the time is then that of the text and the lengths, whatever their number
    _sets: dict[int, frozenset[str]] = field(init=False, compare=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.needles) > MANY_NEEDLES:
            for length in sorted({len(needle) for needle in self.needles}):
                self._sets[length] = frozenset(needle for needle in self.needles if len(needle) == length)

    def holds(self, value: object) -> bool:
        texts: Iterable[object] = value if isinstance(value, tuple) else (value,)
        return any(self._in(text) for text in texts if isinstance(text, str))

    def _in(self, text: str) -> bool:
        if not self._sets:
            return any(needle in text for needle in self.needles)
        for length, needles in self._sets.items():
            if any(text[at : at + length] in needles for at in range(len(text) - length + 1)):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Regex(Operator):
    """The pattern is found in the text (Python's `re`, `search`)."""

    pattern: re.Pattern[str]

    def holds(self, value: object) -> bool:
        texts: Iterable[object] = value if isinstance(value, tuple) else (value,)
        return any(self.pattern.search(text) is not None for text in texts if isinstance(text, str))


class Within(Operator):
    """The address lies in one of these networks; one look-up for each prefix length that occurs."""

    __slots__ = ("_v4", "_v6", "networks")

    def __init__(self, networks: Iterable[Network]) -> None:
        self.networks = tuple(networks)
        self._v4: dict[int, set[int]] = {}
        self._v6: dict[int, set[int]] = {}
        for network in self.networks:
            table = self._v4 if network.version == 4 else self._v6
            shift = network.max_prefixlen - network.prefixlen
            table.setdefault(shift, set()).add(int(network.network_address) >> shift)

    def holds(self, value: object) -> bool:
        if isinstance(value, tuple):
            return any(self.holds(address) for address in value)
        assert isinstance(value, bytes)
        number = int.from_bytes(value, "big")
        table = self._v4 if len(value) == 4 else self._v6
        return any(number >> shift in starts for shift, starts in table.items())


@dataclass(frozen=True, slots=True)
class InRanges(Operator):
    """The number lies in one of these ranges, both ends included; the time grows with the logarithm of their number."""

    ranges: tuple[tuple[int, int], ...]
    #: where the ranges begin and end, in rising order, those that overlap or touch made one
    _lows: list[int] = field(init=False, compare=False, repr=False, default_factory=list)
    _highs: list[int] = field(init=False, compare=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        for low, high in sorted(self.ranges):
            if self._highs and low <= self._highs[-1] + 1:
                self._highs[-1] = max(high, self._highs[-1])
            else:
                self._lows.append(low)
                self._highs.append(high)

    def holds(self, value: object) -> bool:
        numbers: Iterable[object] = value if isinstance(value, tuple) else (value,)
        return any(self._in(number) for number in numbers if isinstance(number, int))

    def _in(self, number: int) -> bool:
        place = bisect_right(self._lows, number)
        return place > 0 and number <= self._highs[place - 1]


@dataclass(frozen=True, slots=True)
class Above(Operator):
    """The number is larger than this one."""

    bound: int

    def holds(self, value: object) -> bool:
        numbers: Iterable[object] = value if isinstance(value, tuple) else (value,)
        return any(number > self.bound for number in numbers if isinstance(number, int))


@dataclass(frozen=True, slots=True)
class Below(Operator):
    """The number is smaller than this one."""

    bound: int

    def holds(self, value: object) -> bool:
        numbers: Iterable[object] = value if isinstance(value, tuple) else (value,)
        return any(number < self.bound for number in numbers if isinstance(number, int))


@dataclass(frozen=True, slots=True)
class Present(Operator):
    """The field is there, with whatever value (`wanted` False: it is not)."""

    wanted: bool

    def holds(self, value: object) -> bool:
        return self.wanted


@dataclass(frozen=True, slots=True)
class Test(Match):
    """A leaf: one field, one comparison. A field that is not there answers no."""

    field: str
    operator: Operator

    def test(self, look: Look) -> bool | None:
        value = look.value(self.field)
        if value is UNKNOWN:
            return None
        if value is None:
            return isinstance(self.operator, Present) and not self.operator.wanted
        return self.operator.holds(value)

    def fields(self) -> frozenset[str]:
        return frozenset({self.field})


@dataclass(frozen=True, slots=True)
class All(Match):
    """Every part holds; without parts: always."""

    parts: tuple[Match, ...]

    def test(self, look: Look) -> bool | None:
        known = True
        for part in self.parts:
            answer = part.test(look)
            if answer is False:
                return False
            if answer is None:
                known = False
        return True if known else None

    def fields(self) -> frozenset[str]:
        return frozenset().union(*(part.fields() for part in self.parts))


@dataclass(frozen=True, slots=True)
class AnyOf(Match):
    """At least one part holds."""

    parts: tuple[Match, ...]

    def test(self, look: Look) -> bool | None:
        known = True
        for part in self.parts:
            answer = part.test(look)
            if answer is True:
                return True
            if answer is None:
                known = False
        return False if known else None

    def fields(self) -> frozenset[str]:
        return frozenset().union(*(part.fields() for part in self.parts))


@dataclass(frozen=True, slots=True)
class Not(Match):
    """The part does not hold; not known while the part is not."""

    part: Match

    def test(self, look: Look) -> bool | None:
        answer = self.part.test(look)
        return None if answer is None else not answer

    def fields(self) -> frozenset[str]:
        return self.part.fields()
