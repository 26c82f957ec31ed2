"""One cell in a real lab, and one whose lab gives no result."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from testbed import run as runs
from testbed.findings import Check
from testbed.sweep import emulate, planning
from testbed.sweep.values import Cell
from tests.testbed.sweep.made import parameter, sweep


def one_cell(folder: Path) -> Cell:
    attempts = (parameter("attempts", "1"),)
    made = sweep(backend="emulate", scenario="sni-filtering", workloads=("web-nosni",), parameters=attempts)
    return dataclasses.replace(next(planning.cells(made)), folder=str(folder))


def test_a_lab_without_a_result_is_a_failed_cell_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Check(text="the box lives", held=False, lab=True)
    ran = runs.Ran(folder=tmp_path, manifest={}, checks=(broken,))
    monkeypatch.setattr(runs, "run", lambda *_, **__: ran)
    with pytest.raises(emulate.NoResultError, match="the box lives"):
        emulate.run(one_cell(tmp_path / "lab"))


@pytest.mark.lab
def test_a_cell_in_a_real_lab_gives_the_rows_of_its_run(tmp_path: Path) -> None:
    rows = emulate.run(one_cell(tmp_path / "lab"))
    assert [row["policy"] for row in rows] == ["control", "sni-drop"]
    assert all(row.keys() == emulate.BACKEND.columns.keys() for row in rows)
    assert (tmp_path / "lab" / "rows.csv").exists()
