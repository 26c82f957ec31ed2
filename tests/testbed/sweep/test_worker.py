"""What a worker process does."""

from __future__ import annotations

import dataclasses
import signal

import pytest

from testbed.sweep import planning, worker
from testbed.sweep.backends import Row
from testbed.sweep.values import Cell
from tests.testbed.sweep.made import pretend, row, sweep


def test_rows_come_back_in_the_order_of_the_cells() -> None:
    cells = list(planning.cells(sweep(seeds=(range(1, 4),))))
    found = worker.run_cells(cells)
    assert [(one.rows or [{}])[0]["seed"] for one in found] == [1, 2, 3]
    assert all(one.traceback == "" and one.seconds > 0 for one in found)


def test_an_error_is_told_with_its_traceback_and_the_next_cell_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(cell: Cell) -> list[Row]:
        if cell.seed == 1:
            raise RuntimeError("broken on purpose")
        return [row(cell)]

    pretend(monkeypatch, run)
    first, second = worker.run_cells(list(planning.cells(sweep(seeds=(range(1, 3),)))))
    assert first.rows is None
    assert first.traceback.endswith("RuntimeError: broken on purpose\n")
    assert "in run" in first.traceback
    assert second.rows is not None


def test_a_row_with_other_columns_than_its_backend_says_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, lambda cell: [{"policy": "p", "sed": 1}])
    (found,) = worker.run_cells(list(planning.cells(sweep())))
    assert "a row of the backend replay has not its columns: good, sed, seed, value" in found.traceback


def test_cells_of_another_version_are_refused() -> None:
    (cell,) = planning.cells(sweep())
    with pytest.raises(worker.OtherCodeError, match="has other code"):
        worker.run_cells([dataclasses.replace(cell, code="another")])


def test_a_process_without_a_parent_waits_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    worker.begin()
