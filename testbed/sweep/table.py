"""The table of a sweep: one Parquet file, the rows of each cell in the order of the plan, the same bytes each time.

It is made from the cells' folders a row group at a time, so its size costs no memory. It computes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.sweep import backends, planning
from testbed.sweep.backends import Kind, Row
from testbed.sweep.store import Store
from testbed.sweep.values import Cell, Sweep

if TYPE_CHECKING:
    import pandas as pd

#: rows of a group: some megabytes in memory, and enough for a reader to work with
GROUP = 5_000


class MissingLibraryError(Exception):
    """pyarrow is not installed; the message says what to do."""


def library() -> Any:  # noqa: ANN401  # a module without types
    """pyarrow with its Parquet part; raises `MissingLibraryError`."""
    try:
        import pyarrow as pa
        import pyarrow.parquet  # as pa.parquet
    except ImportError:
        raise MissingLibraryError(
            "a sweep's table needs pyarrow, which is not installed: start it as ./penstock sweep, "
            "or run pip install 'pyarrow>=15'"
        ) from None
    return pa


def write(sweep: Sweep, store: Store) -> tuple[int, int]:
    """Write `table.parquet`, whole or not at all; how many cells it has, and how many are missing."""
    pa = library()
    columns = planning.columns(sweep, backends.find(sweep.backend))
    types = {Kind.TEXT: pa.string(), Kind.WHOLE: pa.int64(), Kind.NUMBER: pa.float64(), Kind.TRUTH: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    counted = [0, 0]
    fresh = store.draft()
    try:
        # no Arrow schema inside: it says nothing that the Parquet schema does not
        with pa.parquet.ParquetWriter(fresh, schema, compression="zstd", store_schema=False) as file:
            for group in _groups(_rows(sweep, store, counted)):
                file.write_table(pa.Table.from_pylist(group, schema), row_group_size=GROUP)
        os.replace(fresh, store.table)
    finally:
        fresh.unlink(missing_ok=True)
    return counted[0], counted[1]


def read(path: Path, columns: list[str]) -> pd.DataFrame:
    """Some columns of a table; raises `FileNotFoundError`."""
    table: pd.DataFrame = library().parquet.read_table(path, columns=columns).to_pandas()
    return table


def _rows(sweep: Sweep, store: Store, counted: list[int]) -> Iterator[Row]:
    varied = {one.name: one for one in sweep.parameters}
    for cell in planning.cells(sweep):
        rows = store.rows(cell)
        counted[rows is None] += 1
        for row in rows or ():
            yield {"cell": cell.id, **_parameters(cell, varied), **row}


def _parameters(cell: Cell, varied: dict[str, Any]) -> Row:
    return {varied[name].column: varied[name].cell(value) for name, value in cell.parameters}


def _groups(rows: Iterator[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        group.append(row)
        if len(group) == GROUP:
            yield group
            group = []
    if group:
        yield group
