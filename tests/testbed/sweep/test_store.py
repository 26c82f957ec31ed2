"""Where cells are kept."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from testbed.sweep import planning
from testbed.sweep.store import Store
from testbed.sweep.values import Cell
from tests.testbed.sweep.made import sweep


@pytest.fixture
def cells() -> list[Cell]:
    return list(planning.cells(sweep(seeds=(range(1, 4),))))


def test_a_kept_cell_is_there_with_all_that_decided_it(tmp_path: Path, cells: list[Cell]) -> None:
    store = Store(tmp_path)
    assert not store.has(cells[0])
    assert store.rows(cells[0]) is None
    store.keep(cells[0], [{"value": 1.5, "good": True, "note": "ü"}])
    assert store.has(cells[0])
    assert store.rows(cells[0]) == [{"value": 1.5, "good": True, "note": "ü"}]
    assert not store.has(cells[1])
    path = tmp_path / "cells" / cells[0].id[:2] / cells[0].id / "rows.json"
    assert json.loads(path.read_text())["cell"] == json.loads(cells[0].identity)


def test_a_cell_that_is_there_stays_when_another_process_comes_later(tmp_path: Path, cells: list[Cell]) -> None:
    store = Store(tmp_path)
    store.keep(cells[0], [{"value": 1}])
    store.keep(cells[0], [{"value": 2}])
    assert store.rows(cells[0]) == [{"value": 1}]
    assert [one.name for one in tmp_path.glob("cells/*/*")] == [cells[0].id]


def test_a_file_that_a_crash_has_cut_is_no_cell(tmp_path: Path, cells: list[Cell]) -> None:
    store = Store(tmp_path)
    store.keep(cells[0], [{"value": 1}])
    (tmp_path / "cells" / cells[0].id[:2] / cells[0].id / "rows.json").write_text("")
    assert store.rows(cells[0]) is None
    assert not store.has(cells[0])


def test_two_cells_of_one_id_are_never_mixed_up(tmp_path: Path, cells: list[Cell]) -> None:
    store = Store(tmp_path)
    store.keep(cells[0], [])
    path = tmp_path / "cells" / cells[0].id[:2] / cells[0].id / "rows.json"
    path.write_text(path.read_text().replace('"seed":1', '"seed":2'))
    with pytest.raises(FileExistsError, match="another cell has the id"):
        store.rows(cells[0])


def test_a_failed_cell_is_set_aside_with_its_tries_until_it_is_done(tmp_path: Path, cells: list[Cell]) -> None:
    store = Store(tmp_path)
    store.set_aside(cells[1], "Traceback: one\n")
    store.set_aside(cells[1], "Traceback: two\n")
    assert store.failed(cells[1])
    ((name, told),) = store.failures()
    assert (name, told["tries"], told["traceback"]) == (cells[1].id, 2, "Traceback: two\n")
    store.keep(cells[1], [])
    assert not store.failed(cells[1])
    assert list(store.failures()) == []


def test_only_what_dead_processes_left_half_written_is_removed(tmp_path: Path, cells: list[Cell]) -> None:
    store = Store(tmp_path)
    store.keep(cells[0], [])
    folder = tmp_path / "cells" / cells[0].id[:2]
    here = os.uname().nodename
    gone, other, mine = f".x~{here}~99999999", ".x~elsewhere~99999999", f".x~{here}~{os.getpid()}"
    for name in (gone, other, mine):
        (folder / name).mkdir()
    (tmp_path / f".table.parquet~{here}~99999999").write_text("half")
    store.tidy()
    assert sorted(one.name for one in folder.iterdir()) == sorted([cells[0].id, other, mine])
    assert [one.name for one in tmp_path.iterdir()] == ["cells"]


def test_another_folders_cells_are_taken_in(tmp_path: Path, cells: list[Cell]) -> None:
    one, two, both = Store(tmp_path / "1"), Store(tmp_path / "2"), Store(tmp_path / "3")
    one.keep(cells[0], [{"value": 1}])
    two.keep(cells[0], [{"value": 1}])
    two.keep(cells[1], [{"value": 2}])
    two.set_aside(cells[2], "Traceback\n")
    assert both.take_in(one) == 1
    assert both.take_in(two) == 1
    assert [both.rows(cell) for cell in cells] == [[{"value": 1}], [{"value": 2}], None]
    assert both.failed(cells[2])


def test_a_description_of_a_later_version_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write({"sweep": {}})
    assert store.read()["sweep"] == {}
    (tmp_path / "sweep.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="format 99; this version reads up to 1: update penstock"):
        store.read()
    (tmp_path / "sweep.json").write_text("[]")
    with pytest.raises(ValueError, match="not the description of a sweep"):
        store.read()
