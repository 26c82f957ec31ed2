"""What a sweep varies, and one cell of it: a point in all that is varied, whose identity follows from its contents.

Values only. How a sweep is written is said by `description`, which cells it has by `planning`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FORMAT = 1  #: of a cell's identity; another one is another cell
#: hexadecimal digits of a cell's id: 64 bits, so that even a million cells share one with a chance of 1 in 30 million
_DIGITS = 16
#: a number and what follows it: "128 kbit/s", "0.5", "10 %"
MEASURED = re.compile(r"(-?\d+(?:\.\d+)?)\s*(\D\S*)?")


@dataclass(frozen=True, slots=True)
class Span:
    """All numbers from `low` to `high`, of which a Latin hypercube takes some."""

    low: float
    high: float
    unit: str = ""  #: written after the number
    logarithmic: bool = False  #: even in the logarithm
    decimals: bool = True  #: False: whole numbers only

    def at(self, fraction: float) -> str:
        """The value that lies so far (0 to 1) on the way from `low` to `high`, as it is written."""
        if self.logarithmic:
            number = self.low * (self.high / self.low) ** fraction
        else:
            number = self.low + (self.high - self.low) * fraction
        text = f"{number:.6g}" if self.decimals else f"{number:.0f}"
        if "e" in text:  # 1.5e+06: policies know no exponents
            text = f"{number:.6f}".rstrip("0").rstrip(".")
        return f"{text} {self.unit}" if self.unit else text

    @property
    def ends(self) -> tuple[str, str]:
        return self.at(0), self.at(1)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.low:.15g}..{self.high:.15g}{unit}{' log' if self.logarithmic else ''}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that is varied: a place in the policy by its dotted path, or a setting of the backend."""

    name: str
    values: tuple[str, ...] | Span

    @property
    def shown(self) -> tuple[str, ...]:
        """All its values, or the two ends of them."""
        return self.values.ends if isinstance(self.values, Span) else self.values

    @property
    def unit(self) -> str | None:
        """The unit of all its values, "" for plain numbers; None if they are not numbers with one unit."""
        found = [MEASURED.fullmatch(one) for one in self.shown]
        units = {one.group(2) or "" for one in found if one}
        return units.pop() if all(found) and len(units) == 1 else None

    @property
    def column(self) -> str:
        """Its column in the table: a number in the unit that the name tells, or else a text."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    def cell(self, value: str) -> str | float:
        """A value of it as it stands in the table."""
        found = MEASURED.fullmatch(value) if self.unit is not None else None
        return float(found.group(1)) if found else value


@dataclass(frozen=True, slots=True)
class Chosen:
    """A policy as it was found, before anything in it is varied."""

    name: str
    text: str
    path: Path
    shown: str  #: how messages call it
    lists: str  #: digest of its lists' entries, which may stand in files of their own


@dataclass(frozen=True, slots=True)
class Capture:
    """Packets of a file, as the workload of that file's name."""

    name: str
    path: Path
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A description: everything that is varied. Tools and workloads of None: whatever the scenario has."""

    name: str
    about: str = ""
    backend: str
    code: str  #: digest of the code that decides the results
    scenario: str = ""
    policies: tuple[Chosen, ...]
    tools: tuple[str | None, ...] = (None,)
    workloads: tuple[str | None, ...] = (None,)
    captures: tuple[Capture, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    seeds: tuple[range, ...] = (range(1, 2),)
    draws: int = 0  #: of a Latin hypercube; 0: the grid of all values
    design_seed: int = 1

    def each_seed(self) -> Iterator[int]:
        for some in self.seeds:
            yield from some


@dataclass(frozen=True)
class Cell:
    """One run, with all that decides its result."""

    backend: str
    scenario: str
    policy: Chosen
    tool: str | None
    workload: str | None
    capture: Capture | None
    parameters: tuple[tuple[str, str], ...]  #: name and value, in the sweep's order
    seed: int
    code: str  #: digest of the code that decides the result
    folder: str = ""  #: where a lab's captures and logs go; no part of the identity

    @cached_property
    def identity(self) -> str:
        """Canonical JSON of all that decides the result: sorted keys, no blanks, texts by their digests."""
        told = {
            "format": FORMAT,
            "backend": self.backend,
            "code": self.code,
            "scenario": self.scenario,
            "policy": {"name": self.policy.name, "text": digest(self.policy.text), "lists": self.policy.lists},
            "tool": self.tool,
            "workload": self.workload,
            "capture": self.capture.digest if self.capture else None,
            "parameters": dict(self.parameters),
            "seed": self.seed,
        }
        return canonical(told)

    @cached_property
    def id(self) -> str:
        return digest(self.identity)[:_DIGITS]

    def settings(self) -> dict[str, str]:
        """The parameters that are settings of the backend."""
        return {name: value for name, value in self.parameters if not of_policy(name)}

    def of_policy(self) -> dict[str, str]:
        """The parameters that are places in the policy."""
        return {name: value for name, value in self.parameters if of_policy(name)}


def of_policy(name: str) -> bool:
    """Whether a parameter's name is a place in the policy."""
    from testbed.sweep.substituting import ROOTS

    return name.split(".")[0] in ROOTS


def canonical(told: object) -> str:
    """The one way to write a value as JSON."""
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()
