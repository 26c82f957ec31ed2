"""The backend that measures in a lab of this machine: a cell is one run of a scenario, a policy and its control.

One cell at a time and in the calling process, because two labs side by side would measure each other. Several machines
share a sweep by `--shard`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import fields
from pathlib import Path

from testbed.result import Row as Attempt
from testbed.result import read_rows
from testbed.scenario import SETTINGS, Scenario, change, find, unknown
from testbed.sweep.backends import Backend, Kind, Measure, Row, Value
from testbed.sweep.policies import of_cell
from testbed.sweep.values import Cell, Sweep, of_policy

#: a setting that scenarios have by an option of its own
_ATTEMPTS = "attempts"
#: attempts at each target in a cell, if the sweep does not say; a sweep repeats by its seeds
_FEW = "2"


class NoResultError(Exception):
    """The lab gave no trustworthy result."""


def scenario_of(cell: Cell) -> Scenario:
    """The cell's scenario: its settings, and of its targets those with the cell's tool and workload."""
    return _narrowed(cell.scenario, cell.settings(), cell.tool, cell.workload)


def _narrowed(name: str, settings: dict[str, str], tool: str | None, workload: str | None) -> Scenario:
    scenario = find(name)
    if not isinstance(scenario, Scenario):
        raise ValueError(f"the scenario '{name}' runs along a timeline; a sweep takes those that go attempt by attempt")
    given = {_ATTEMPTS: _FEW, "residual_wait": "0", **settings}
    attempts = given.pop(_ATTEMPTS)
    if not attempts.isdecimal():
        raise ValueError(f"attempts: found '{attempts}'; expected a whole number")
    targets = tuple(
        one
        for one in scenario.targets
        if (tool is None or one.tool == tool) and (workload is None or one.workload == workload)
    )
    if not targets:
        there = sorted({f"{one.workload} through {one.tool}" if one.tool else one.workload for one in scenario.targets})
        wanted = (workload or "anything") + (f" through {tool}" if tool else " without a tool" if tool == "" else "")
        raise ValueError(f"the scenario '{name}' has no target for {wanted} (there are: {', '.join(there)})")
    names = {one.name for one in targets}
    residual = scenario.residual
    if residual is not None and not {residual.trigger, residual.probe} <= names:
        residual = None
    narrowed = dataclasses.replace(scenario, targets=targets, residual=residual, attempts=int(attempts))
    return change(narrowed, [f"{key}={value}" for key, value in given.items()])


def run(cell: Cell) -> list[Row]:
    """Measure, in a folder of the cell's own; raises `NoResultError` if the lab's rows cannot be trusted."""
    from testbed.run import run as run_scenario

    folder = Path(cell.folder)
    folder.mkdir(parents=True)
    policy = of_cell(cell.policy, tuple(cell.of_policy().items()))
    ran = run_scenario(scenario_of(cell), [policy], seed=cell.seed, folder=folder, command=["sweep"])
    if ran.status == 3:
        broken = "; ".join(check.text for check in ran.checks if check.lab and not check.held)
        raise NoResultError(f"{broken} ({folder})")
    table = read_rows(folder)
    return [{name: _plain(kind, row[name]) for name, kind in COLUMNS.items()} for row in table.to_dict("records")]


def _plain(kind: Kind, value: object) -> Value:
    if value is None or value != value:  # a number that is missing is NaN in a table
        return None
    if kind is Kind.WHOLE:
        return int(value)  # type: ignore[call-overload,no-any-return]
    return float(value) if kind is Kind.NUMBER else str(value)  # type: ignore[arg-type]


def check(sweep: Sweep) -> None:
    """Refuse what no scenario has; raises `ValueError`."""
    if sweep.captures:
        raise ValueError("captures: the backend emulate makes its own traffic; captures are for the backend replay")
    if not sweep.scenario:
        raise ValueError("the backend emulate needs a scenario, such as sni-filtering")
    known = {_ATTEMPTS: "", **SETTINGS}
    varied = [one for one in sweep.parameters if not of_policy(one.name)]
    for one in varied:
        if one.name not in known:
            raise ValueError(f"{unknown('setting', one.name, known)}, or a path into the policy: rules.0.chance")
    for tool in sweep.tools:
        for workload in sweep.workloads:
            _narrowed(sweep.scenario, {}, tool, workload)
            for one in varied:
                for value in one.shown:
                    _narrowed(sweep.scenario, {one.name: value}, tool, workload)


_KINDS = {"int": Kind.WHOLE, "float": Kind.NUMBER}
#: those of a run's rows
COLUMNS = {one.name: _KINDS.get(str(one.type).split(" ")[0], Kind.TEXT) for one in fields(Attempt)}

_TRUSTED = {"fidelity": "ok"}
BACKEND = Backend(
    about="a lab of this machine: the real kernel, one run of a scenario for each cell",
    run=run,
    check=check,
    columns=COLUMNS,
    measures=(
        Measure(name="blocked", column="outcome", hit="blocked", about="attempts that were blocked", where=_TRUSTED),
        Measure(name="goodput", column="goodput", about="goodput in bit/s, median", where=_TRUSTED),
        Measure(name="seconds", column="seconds", about="seconds of an attempt, median", where=_TRUSTED),
    ),
    across=("policy", "target"),
    sources=("middlebox", "testbed", "scenarios"),
    alone=True,
)
