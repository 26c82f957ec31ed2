"""The backend that measures in virtual time: a cell is one run of a scenario, a policy and its control, in a second.

It keeps rows alone; `penstock run --backend simulate` with the cell's policy, settings and seed gives captures and
decisions too.
"""

from __future__ import annotations

from functools import lru_cache

from testbed.result import Row as Attempt
from testbed.scenario import find
from testbed.sweep import measured
from testbed.sweep.backends import Backend, Row
from testbed.sweep.measured import ACROSS, COLUMNS, MEASURES, narrowed, scenario_of
from testbed.sweep.policies import of_cell
from testbed.sweep.values import Cell, Sweep

#: of how many seeds and settings a process remembers the control, some kB each
_CONTROLS = 256


def run(cell: Cell) -> list[Row]:
    """Measure; the same rows each time."""
    from testbed.virtual.run import rows

    policy = of_cell(cell.policy, tuple(cell.of_policy().items()))
    control = _control(cell.scenario, tuple(cell.settings().items()), cell.tool, cell.workload, cell.seed)
    return [one.as_dict() for one in rows(scenario_of(cell), [policy], seed=cell.seed, control=control)]


@lru_cache(maxsize=_CONTROLS)
def _control(
    scenario: str, settings: tuple[tuple[str, str], ...], tool: str | None, workload: str | None, seed: int
) -> tuple[Attempt, ...]:
    """What is measured without a policy, which is the same for the cells of all policies."""
    from testbed.virtual.run import rows

    return tuple(rows(narrowed(scenario, dict(settings), tool, workload), [], seed=seed))


def check(sweep: Sweep) -> None:
    """Refuse what no scenario has, or none in virtual time; raises `ValueError`."""
    from testbed.virtual.applications import missing

    measured.check(sweep)
    for tool in sweep.tools:
        for workload in sweep.workloads:
            lacking = missing(measured.narrowed(sweep.scenario, {}, tool, workload))
            if lacking:
                raise ValueError(f"the scenario '{find(sweep.scenario).name}': {lacking}")


BACKEND = Backend(
    about="virtual time: no lab and no rights, the same rows each time, a run of a scenario in a second",
    run=run,
    check=check,
    columns=COLUMNS,
    measures=MEASURES,
    across=ACROSS,
    sources=("middlebox", "testbed", "scenarios"),
)
