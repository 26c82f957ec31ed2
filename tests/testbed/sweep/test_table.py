"""The table: read by two other programs, the same bytes each time, a row group at a time."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from testbed.sweep import campaign, planning, table
from testbed.sweep.backends import Row
from testbed.sweep.engines import Here
from testbed.sweep.store import Store
from testbed.sweep.values import Cell, Sweep
from tests.testbed.sweep.made import parameter, pretend, row, sweep

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (the extra 'sweep')")
ALL = planning.Shard()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Sweep:
    def run(cell: Cell) -> list[Row]:
        return [row(cell, cell.seed / 2), row(cell)] if cell.seed < 4 else []

    pretend(monkeypatch, run)
    return sweep(
        parameters=(parameter("rules.0.chance", "5 %", "10 %"), parameter("word", "a", "ü")), seeds=(range(1, 5),)
    )


def done(made: Sweep, folder: Path) -> Store:
    store = Store(folder)
    campaign.run(made, store, Here(), shard=ALL)
    return store


def test_pandas_reads_each_row_with_its_types(made: Sweep, tmp_path: Path) -> None:
    import pandas as pd

    store = done(made, tmp_path)
    assert table.write(made, store) == (16, 0)
    found = pd.read_parquet(store.table)
    assert list(found.columns) == ["cell", "rules.0.chance [%]", "word", "policy", "seed", "value", "good"]
    assert len(found) == 4 * 3 * 2  # a cell without rows has none in the table
    assert found["rules.0.chance [%]"].tolist() == [5.0] * 12 + [10.0] * 12
    assert found["word"].tolist() == (["a"] * 6 + ["ü"] * 6) * 2
    assert found["seed"].tolist() == [1, 1, 2, 2, 3, 3] * 4
    assert found["value"].isna().tolist() == [False, True] * 12
    assert found["good"].sum() == 4  # 3 / 2 is the only value above 1
    assert found["cell"].nunique() == 12


def test_duckdb_reads_the_same(made: Sweep, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (./setup --dev)")
    store = done(made, tmp_path)
    table.write(made, store)
    found = duckdb.sql(
        f"""select "rules.0.chance [%]", word, count(*), count(value), sum(value), count(*) filter (good)
        from '{store.table}' group by all order by all"""
    ).fetchall()
    assert found == [(chance, word, 6, 3, 3.0, 1) for chance in (5.0, 10.0) for word in ("a", "ü")]


def test_the_bytes_are_the_same_whatever_the_order_of_the_work(made: Sweep, tmp_path: Path) -> None:
    one, other = done(made, tmp_path / "1"), Store(tmp_path / "2")
    for number in (3, 1, 2):
        campaign.run(made, other, Here(), shard=planning.Shard(number, 3))
    table.write(made, one)
    table.write(made, other)
    table.write(made, other)
    digests = {hashlib.sha256(store.table.read_bytes()).hexdigest() for store in (one, other)}
    assert len(digests) == 1
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["cells", "cells", "table.parquet", "table.parquet"]


def test_rows_go_to_the_file_in_groups(made: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "GROUP", 10)
    store = done(made, tmp_path)
    table.write(made, store)
    file = pq.ParquetFile(store.table)
    assert [file.metadata.row_group(one).num_rows for one in range(file.metadata.num_row_groups)] == [10, 10, 4]


def test_cells_that_are_not_done_are_counted_and_the_rest_is_written(made: Sweep, tmp_path: Path) -> None:
    store = done(made, tmp_path)
    for path in list(tmp_path.glob("cells/*/*/rows.json"))[:5]:
        path.unlink()
    assert table.write(made, store) == (11, 5)
    assert table.read(store.table, ["cell"])["cell"].nunique() <= 11


def test_a_sweep_without_any_row_has_a_table_with_its_columns(made: Sweep, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write({})
    assert table.write(made, store) == (0, 16)
    assert list(table.read(store.table, ["cell", "value"]).columns) == ["cell", "value"]


def test_without_pyarrow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(table.MissingLibraryError, match=r"needs pyarrow, which is not installed: .*pip install"):
        table.library()
