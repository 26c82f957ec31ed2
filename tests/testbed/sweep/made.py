"""Small sweeps for tests, and a backend that needs no packets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from testbed.sweep import backends, planning
from testbed.sweep.backends import Backend, Kind, Measure, Row
from testbed.sweep.values import Cell, Parameter, Sweep


def parameter(name: str, *values: str) -> Parameter:
    return Parameter(name, values)


def sweep(**said: object) -> Sweep:
    """A sweep by the replay backend, planned as the command would."""
    return planning.plan({"policies": ("sni-drop",), **said})


def row(cell: Cell, value: float | None = None) -> Row:
    return {"policy": cell.policy.name, "seed": cell.seed, "value": value, "good": value is not None and value > 1}


def pretend(monkeypatch: pytest.MonkeyPatch, run: Callable[[Cell], list[Row]], *, alone: bool = False) -> None:
    """Put a backend called "replay" in the place of the real one; settings may have any names."""
    made = Backend(
        about="pretended",
        run=run,
        check=lambda sweep: None,
        columns={"policy": Kind.TEXT, "seed": Kind.WHOLE, "value": Kind.NUMBER, "good": Kind.TRUTH},
        measures=(
            Measure(name="good", column="good", hit=True, about="good rows"),
            Measure(name="value", column="value", about="values, median", where={"good": True}),
        ),
        across=(),
        sources=("testbed/sweep/values.py",),
        alone=alone,
    )
    monkeypatch.setattr(backends, "find", lambda name: made)
