"""Cells in virtual time: the rows of a run, the same each time, and what cannot be run is told before."""

from __future__ import annotations

import dataclasses

import pytest

from testbed.sweep import planning, simulate
from testbed.virtual.applications import APPLICATIONS
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


def test_the_control_is_measured_once_for_all_policies() -> None:
    cells = list(planning.cells(sweep(backend="simulate", scenario="sni-filtering", policies=("sni-drop", "gfw-tls"))))
    alone = []
    for cell in cells:
        simulate._control.cache_clear()
        alone.append(simulate.run(cell))
    simulate._control.cache_clear()
    assert [simulate.run(cell) for cell in cells] == alone
    assert (len(cells), simulate._control.cache_info().misses) == (2, 1)


def test_what_does_not_run_in_virtual_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(APPLICATIONS, "download")
    with pytest.raises(ValueError, match="no 'download' in virtual time"):
        simulate.check(dataclasses.replace(SWEEP, scenario="throttling", workloads=("download",)))
