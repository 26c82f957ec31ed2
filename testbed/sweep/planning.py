"""From a description to a sweep that can be run, and from a sweep to its cells, one after the other.

Everything that can be refused is refused here, before anything runs. No list of cells is ever held.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.scenario import find as find_scenario
from testbed.sweep import backends, design, policies
from testbed.sweep.backends import Backend
from testbed.sweep.values import Capture, Cell, Span, Sweep, digest

_DEFAULT_NAME = "sweep"
_WITHOUT_TOOL = "none"


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `of`-th cell by its id, so that machines that know nothing of each other share the work."""

    number: int = 1  #: from 1
    of: int = 1

    def has(self, cell: Cell) -> bool:
        return int(cell.id, 16) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def shard(text: str) -> Shard:
    """ "3/40"; raises `ValueError`."""
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not found or not 1 <= int(found.group(1)) <= int(found.group(2)):
        raise ValueError(f"--shard: found '{text}'; expected i/n with i from 1 to n, such as 3/40")
    return Shard(int(found.group(1)), int(found.group(2)))


def plan(said: Mapping[str, Any]) -> Sweep:
    """The sweep that a description asks for; raises `ValueError` for what is wrong with it."""
    backend = said.get("backend") or next(iter(backends.BACKENDS))
    runner = backends.find(backend)
    scenario = str(said.get("scenario", "")).replace("_", "-")
    names = said.get("policies") or (find_scenario(scenario).policies if scenario else ())
    if not names:
        raise ValueError("a sweep needs a policy at least: 'policies: [gfw-like]', or --policy gfw-like")
    captures = tuple(map(_capture, said.get("captures", ())))
    workloads = tuple(said.get("workloads", ())) or ((None,) if not captures else ())
    tools = tuple(None if one is None else "" if one == _WITHOUT_TOOL else one for one in said.get("tools", (None,)))
    parameters = tuple(said.get("parameters", ()))
    draws = int(said.get("draws", 0))
    sweep = Sweep(
        name=said.get("name") or scenario or _DEFAULT_NAME,
        about=said.get("about", ""),
        backend=backend,
        code=backends.code(runner.sources),
        scenario=scenario,
        policies=tuple(map(policies.choose, names)),
        tools=tools,
        workloads=workloads,
        captures=captures,
        parameters=parameters,
        seeds=said.get("seeds", (range(1, 2),)),
        draws=draws,
        design_seed=int(said.get("design_seed", 1)),
    )
    _once("policies", [one.name for one in sweep.policies])
    _once("workloads", [*map(str, workloads), *(one.name for one in captures)])
    _once("tools", list(map(str, tools)))
    _spans(sweep)
    runner.check(sweep)
    taken = {"cell", *runner.columns}
    for one in parameters:
        if one.column in taken:
            raise ValueError(
                f"the parameter '{one.name}' is called like a column of the table; the columns are distinct"
            )
    policies.check(sweep.policies, parameters)
    return sweep


def count(sweep: Sweep) -> int:
    """How many cells the whole sweep has."""
    kinds = len(sweep.workloads) + len(sweep.captures)
    seeds = sum(map(len, sweep.seeds))
    return len(sweep.policies) * len(sweep.tools) * kinds * design.count(sweep.parameters, sweep.draws) * seeds


def cells(sweep: Sweep) -> Iterator[Cell]:
    """All cells, in the order of the table: policies, tools, workloads, points of the design, seeds."""
    kinds: list[tuple[str | None, Capture | None]] = [(one, None) for one in sweep.workloads]
    kinds += [(one.name, one) for one in sweep.captures]
    for policy in sweep.policies:
        for tool in sweep.tools:
            for workload, capture in kinds:
                for point in design.points(sweep.parameters, sweep.draws, sweep.design_seed):
                    for seed in sweep.each_seed():
                        yield Cell(
                            backend=sweep.backend,
                            scenario=sweep.scenario,
                            policy=policy,
                            tool=tool,
                            workload=workload,
                            capture=capture,
                            parameters=point,
                            seed=seed,
                            code=sweep.code,
                        )


def columns(sweep: Sweep, backend: Backend) -> dict[str, backends.Kind]:
    """The table's columns in their order: the cell's id, what is varied, and what the backend tells."""
    varied = {one.column: backends.Kind.TEXT if one.unit is None else backends.Kind.NUMBER for one in sweep.parameters}
    return {"cell": backends.Kind.TEXT, **varied, **backend.columns}


def _capture(name: str) -> Capture:
    path = Path(name)
    try:
        return Capture(path.stem, path.resolve(), digest(path.read_bytes()))
    except OSError as error:
        raise ValueError(f"capture '{name}': {error.strerror}") from None


def _once(what: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what}: '{name}' is there twice; the table could not tell them apart")


def _spans(sweep: Sweep) -> None:
    """A grid needs values; a hypercube needs something to draw."""
    _once("parameters", [one.name for one in sweep.parameters])
    for one in sweep.parameters:
        if isinstance(one.values, Span) and not sweep.draws:
            raise ValueError(
                f"{one.name}: found the span '{one.values}' in a grid; expected its values between commas, or a design "
                "that draws from it, such as lhs:200"
            )
    if sweep.draws and not sweep.parameters:
        raise ValueError(f"lhs:{sweep.draws}: there is no parameter to draw; a Latin hypercube needs --set, or a grid")
