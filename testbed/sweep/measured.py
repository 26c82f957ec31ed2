"""What those backends share whose cell is one run of a scenario: which of its targets, which settings, which rows.

A backend of this kind is a function that runs a scenario under a policy and gives the folder of the run.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import fields
from pathlib import Path

from testbed.changers import CHANGERS
from testbed.result import Row as Attempt
from testbed.scenario import SETTINGS, Scenario, change, find, unknown
from testbed.sweep.backends import Kind, Measure, Row
from testbed.sweep.values import Cell, Sweep, of_policy
from testbed.tools import TOOLS

#: a setting that scenarios have by an option of its own
_ATTEMPTS = "attempts"
#: attempts at each target in a cell, if the sweep does not say; a sweep repeats by its seeds
_FEW = "2"

_KINDS = {"int": Kind.WHOLE, "float": Kind.NUMBER}
#: those of a run's rows
COLUMNS = {one.name: _KINDS.get(str(one.type).split(" ")[0], Kind.TEXT) for one in fields(Attempt)}

_TRUSTED = {"fidelity": "ok"}
MEASURES = (
    Measure(name="blocked", column="outcome", hit="blocked", about="attempts that were blocked", where=_TRUSTED),
    Measure(name="goodput", column="goodput", about="goodput in bit/s, median", where=_TRUSTED),
    Measure(name="seconds", column="seconds", about="seconds of an attempt, median", where=_TRUSTED),
)
ACROSS = ("policy", "target")


def scenario_of(cell: Cell) -> Scenario:
    """The cell's scenario: its settings, and of its targets those with the cell's tool and workload."""
    return narrowed(cell.scenario, cell.settings(), cell.tool, cell.workload)


def narrowed(name: str, settings: dict[str, str], tool: str | None, workload: str | None) -> Scenario:
    """A scenario with these settings, and of its targets those with this tool and workload; None: with any.

    A tool that none of its targets goes through takes those that go without one.
    """
    scenario = find(name)
    if not isinstance(scenario, Scenario):
        raise ValueError(f"the scenario '{name}' runs along a timeline; a sweep takes those that go attempt by attempt")
    given = {_ATTEMPTS: _FEW, "residual_wait": "0", **settings}
    attempts = given.pop(_ATTEMPTS)
    if not attempts.isdecimal():
        raise ValueError(f"attempts: found '{attempts}'; expected a whole number")
    fit = [one for one in scenario.targets if workload is None or one.workload == workload]
    targets = tuple(one for one in fit if tool is None or one.tool == tool)
    if not targets and tool and (tool in TOOLS or tool in CHANGERS):
        targets = tuple(dataclasses.replace(one, tool=tool) for one in fit if not one.tool)
    if not targets:
        there = sorted({f"{one.workload} through {one.tool}" if one.tool else one.workload for one in scenario.targets})
        wanted = (workload or "anything") + (f" through {tool}" if tool else " without a tool" if tool == "" else "")
        raise ValueError(f"the scenario '{name}' has no target for {wanted} (there are: {', '.join(there)})")
    names = {one.name for one in targets}
    residual = scenario.residual
    if residual is not None and not {residual.trigger, residual.probe} <= names:
        residual = None
    narrowed = dataclasses.replace(scenario, targets=targets, residual=residual, attempts=int(attempts))
    if tool and all(one.tool != tool for one in scenario.targets):  # what gets through without it says nothing of it
        narrowed = dataclasses.replace(narrowed, gets_through={})
    return change(narrowed, [f"{key}={value}" for key, value in given.items()])


def rows_of(folder: Path) -> list[Row]:
    """The rows of a run folder, as a sweep's table takes them; of a row in memory that is `Row.as_dict`."""
    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    return [{name: told[name] for name in COLUMNS} for told in map(json.loads, lines)]


def check(sweep: Sweep) -> None:
    """Refuse what no scenario has; raises `ValueError`."""
    if sweep.captures:
        raise ValueError(f"captures: the backend {sweep.backend} makes its own traffic; replay takes captures")
    if not sweep.scenario:
        raise ValueError(f"the backend {sweep.backend} needs a scenario, such as sni-filtering")
    known = {_ATTEMPTS: "", **SETTINGS}
    varied = [one for one in sweep.parameters if not of_policy(one.name)]
    for one in varied:
        if one.name not in known:
            raise ValueError(f"{unknown('setting', one.name, known)}, or a path into the policy: rules.0.chance")
    for tool in sweep.tools:
        for workload in sweep.workloads:
            narrowed(sweep.scenario, {}, tool, workload)
            for one in varied:
                for value in one.shown:
                    narrowed(sweep.scenario, {one.name: value}, tool, workload)
