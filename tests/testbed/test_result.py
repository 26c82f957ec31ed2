"""Rows: wrong ones cannot be built, and what is on the disk is what was measured."""

import csv
import dataclasses
import json
import math
from pathlib import Path

import pandas as pd
import pytest

from testbed.result import COLUMNS, Fidelity, Outcome, Row, RowsFile, read_rows

#: INTERFACE.md, "Row: one attempt, every parameter repeated"
PROMISED = [
    "run",
    "scenario",
    "backend",
    "seed",
    "policy",
    "subscriber",
    "access",
    "tool",
    "workload",
    "target",
    "attempt",
    "phase",
    "started_s",
    "outcome",
    "failure",
    "seconds",
    "time_to_first_byte",
    "goodput",
    "bytes",
    "intended",
    "fidelity",
    "fidelity_reason",
    "box_added_p99_s",
    "queue_drops",
]

GOOD = Row(
    run="sni-filtering-20260101-000000",
    scenario="sni-filtering",
    backend="emulate",
    seed=7,
    policy="gfw-like",
    subscriber="client",
    access="fixed",
    tool="",
    workload="web",
    target="innocent",
    attempt=1,
    phase="main",
    started_s=1.5,
    outcome=Outcome.OK,
    failure="",
    seconds=0.25,
    time_to_first_byte=0.2,
    goodput=3200.0,
    bytes=100,
    intended=Outcome.OK,
    fidelity=Fidelity.OK,
)


def test_the_promised_columns_come_first() -> None:
    assert list(COLUMNS[: len(PROMISED)]) == PROMISED
    assert list(GOOD.as_dict()) == list(COLUMNS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"failure": "reset"}, "OONI"),
        ({"failure": "connection_reset"}, "ok cannot have"),
        ({"outcome": Outcome.BLOCKED}, "needs a failure"),
        ({"fidelity": Fidelity.NONE, "fidelity_reason": "box died"}, "no result"),
        ({"fidelity": Fidelity.SUSPECT}, "needs its reason"),
        ({"intended": Outcome.NO_RESULT}, "cannot intend"),
        ({"attempt": 0}, "from 1"),
        ({"seconds": math.nan}, "seconds is nan"),
        ({"seconds": -0.1}, "seconds is -0.1"),
        ({"goodput": math.inf}, "goodput is inf"),
    ],
)
def test_a_wrong_row_cannot_be_built(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(GOOD, **change)  # type: ignore[arg-type]


def test_rows_are_on_the_disk_as_soon_as_they_are_written(tmp_path: Path) -> None:
    file = RowsFile(tmp_path)
    file.write(GOOD)
    assert json.loads((tmp_path / "rows.jsonl").read_text()) == GOOD.as_dict()
    assert not (tmp_path / "rows.csv").exists()
    file.close()
    file.close()
    assert (tmp_path / "rows.csv").exists()


def test_the_csv_says_the_same_as_the_lines(tmp_path: Path) -> None:
    blocked = dataclasses.replace(
        GOOD, outcome=Outcome.BLOCKED, failure="connection_reset", bytes=None, goodput=None, time_to_first_byte=None
    )
    with RowsFile(tmp_path) as file:
        file.write(GOOD)
        file.write(blocked)
    lines = read_rows(tmp_path)
    table = pd.read_csv(tmp_path / "rows.csv", keep_default_na=False, na_values=[""])
    assert list(lines.columns) == list(COLUMNS) == list(table.columns)
    assert list(lines["outcome"]) == list(table["outcome"]) == ["ok", "blocked"]
    assert list(lines["failure"]) == ["", "connection_reset"]
    assert math.isnan(lines["bytes"][1])
    assert math.isnan(table["bytes"][1])
    assert lines["seconds"][0] == table["seconds"][0] == 0.25
    first = next(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    assert (first["bytes"], first["attempt"], first["reconnects"]) == ("100", "1", "")


def test_a_killed_run_leaves_readable_rows(tmp_path: Path) -> None:
    with RowsFile(tmp_path) as file:
        file.write(GOOD)
    path = tmp_path / "rows.jsonl"
    path.write_text(path.read_text() + '{"run": "half')
    assert len(read_rows(tmp_path)) == 1


def test_a_foreign_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"run": "x"}\n')
    with pytest.raises(ValueError, match=r"rows.jsonl:1: the row has no column 'scenario'"):
        read_rows(tmp_path)
    (tmp_path / "rows.jsonl").write_text("hello\n")
    with pytest.raises(ValueError, match=r"rows.jsonl:1: not a JSON object"):
        read_rows(tmp_path)


def test_no_rows_is_an_empty_table_with_all_columns(tmp_path: Path) -> None:
    with RowsFile(tmp_path):
        pass
    assert list(read_rows(tmp_path).columns) == list(COLUMNS)


def test_two_runs_cannot_write_the_same_rows(tmp_path: Path) -> None:
    with RowsFile(tmp_path), pytest.raises(FileExistsError):
        RowsFile(tmp_path)
