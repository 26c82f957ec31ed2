"""The backend that measures in a lab of this machine: a cell is one run of a scenario, a policy and its control.

One cell at a time and in the calling process, because two labs side by side would measure each other. Several machines
share a sweep by `--shard`.
"""

from __future__ import annotations

from pathlib import Path

from testbed.sweep.backends import Backend, Row
from testbed.sweep.measured import ACROSS, COLUMNS, MEASURES, check, rows_of, scenario_of
from testbed.sweep.policies import of_cell
from testbed.sweep.values import Cell


class NoResultError(Exception):
    """The lab gave no trustworthy result."""


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
    return rows_of(folder)


BACKEND = Backend(
    about="a lab of this machine: the real kernel, one run of a scenario for each cell",
    run=run,
    check=check,
    columns=COLUMNS,
    measures=MEASURES,
    across=ACROSS,
    sources=("middlebox", "testbed", "scenarios"),
    alone=True,
)
