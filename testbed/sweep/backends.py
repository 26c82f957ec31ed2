"""Who runs a cell. A backend is a line in `BACKENDS` and a module that has `BACKEND`; nothing else knows its name.

To add one, write `run(cell) -> rows` in a module such as `testbed/sweep/emulate.py` and add its line; if its cells are
runs of a scenario, all else is in `measured` already.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from functools import cache
from pathlib import Path

from testbed.sweep.values import Cell, Sweep, digest

#: name -> module; by name, so that a worker process finds it too. The first is the default
BACKENDS = {
    "replay": "testbed.sweep.replay",
    "emulate": "testbed.sweep.emulate",
    "simulate": "testbed.sweep.simulate",
}

Value = str | int | float | bool | None
Row = dict[str, Value]

_ROOT = Path(__file__).resolve().parent.parent.parent


class Kind(Enum):
    """What a column holds; any of them may be missing in a row."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    TRUTH = "truth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a report shows of a column: the share of its rows that are `hit`, or the median of its numbers."""

    name: str  #: one word, for a file's name
    column: str
    about: str  #: with its unit, for an axis
    hit: Value = None  #: None: a median
    where: Mapping[str, Value] = field(default_factory=dict)  #: only rows that have these values


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """How cells are run, and what their rows are like."""

    about: str  #: one sentence
    run: Callable[[Cell], list[Row]]  #: may raise anything: the cell is set aside then
    check: Callable[[Sweep], None]  #: raises `ValueError` for a sweep that it cannot run
    columns: Mapping[str, Kind]  #: of each row, in the table's order
    measures: tuple[Measure, ...]
    across: tuple[str, ...]  #: columns, beside what is varied, whose values are not to be put together
    sources: tuple[str, ...]  #: files and folders of the checkout whose code decides a result
    alone: bool = False  #: one cell at a time, in the calling process


def find(name: str) -> Backend:
    """A backend by its name; raises `ValueError` with those that there are."""
    if name not in BACKENDS:
        near = get_close_matches(name, BACKENDS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no backend '{name}'{hint} (there are: {', '.join(BACKENDS)})")
    found: Backend = importlib.import_module(BACKENDS[name]).BACKEND
    return found


@cache
def code(sources: Sequence[str]) -> str:
    """A digest of the code that decides a result: the same for the same files, wherever and whenever they lie."""
    files = sorted(file for one in sources for file in _files(_ROOT / one))
    return digest("".join(f"{file.relative_to(_ROOT).as_posix()}\0{digest(file.read_bytes())}\n" for file in files))


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else list(place.rglob("*.py"))
