"""Cells in virtual time: the rows of a run, the same each time, and what cannot be run is told before."""

from __future__ import annotations

import dataclasses

import pytest

from testbed.sweep import planning, simulate
from tests.testbed.sweep.made import parameter, sweep

SWEEP = sweep(
    backend="simulate",
    scenario="sni-filtering",
    workloads=("web", "web-chrome"),
    parameters=(parameter("attempts", "1"),),
)


def test_a_cell_gives_the_rows_of_its_run_and_the_same_again() -> None:
    simulate.check(SWEEP)
    cells = list(planning.cells(SWEEP))
    rows = simulate.run(cells[0])
    assert rows == simulate.run(cells[0])
    assert {(row["policy"], row["outcome"]) for row in rows if row["target"] == "blocked"} == {
        ("control", "ok"),
        ("sni-drop", "blocked"),
    }
    assert {row["workload"] for row in rows} == {"web"}
    assert all(row.keys() == simulate.BACKEND.columns.keys() for row in rows)
    assert {row["workload"] for row in simulate.run(cells[1])} == {"web-chrome"}


def test_what_does_not_run_in_virtual_time_is_refused() -> None:
    with pytest.raises(ValueError, match="no 'wireguard' in virtual time"):
        simulate.check(dataclasses.replace(SWEEP, scenario="throttling", workloads=("download",), tools=("wireguard",)))
