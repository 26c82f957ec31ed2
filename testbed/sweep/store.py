"""Where a sweep's cells are kept: a folder each, named by what decided its result.

A folder with `rows.json` is a cell that is done; it is written beside and renamed, so that there is never half of one,
and who begins again after `kill -9` goes on where it was. It runs nothing and knows no order.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testbed.sweep.backends import Row
from testbed.sweep.values import Cell

FORMAT = 1  #: of `sweep.json`; a reader refuses a higher one


class Store:
    """The folder of a sweep. Several processes may write to it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = folder / "table.parquet"
        self._failed = folder / "failed"

    def has(self, cell: Cell) -> bool:
        return (self._place(cell.id) / "rows.json").exists()

    def failed(self, cell: Cell) -> bool:
        return self._failure(cell.id).exists()

    def rows(self, cell: Cell) -> list[Row] | None:
        """A cell's rows; None if it is not done, or if a crash of the machine left a file that is not whole."""
        path = self._place(cell.id) / "rows.json"
        try:
            told = json.loads(path.read_bytes())
            if told["cell"] != json.loads(cell.identity):
                raise FileExistsError(f"{path}: another cell has the id {cell.id}; expected {cell.identity}")
            rows: list[Row] = told["rows"]
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            shutil.rmtree(path.parent)
            return None
        return rows

    def keep(self, cell: Cell, rows: list[Row]) -> None:
        """Write a cell that is done; one that is there already stays."""
        place = self._place(cell.id)
        part = _beside(place)
        part.mkdir(parents=True, exist_ok=True)
        (part / "rows.json").write_text(f'{{"cell":{cell.identity},"rows":{json.dumps(rows)}}}\n', encoding="utf-8")
        try:
            os.rename(part, place)
        except OSError:  # somebody else was faster, and came to the same
            if not (place / "rows.json").exists():
                raise
            shutil.rmtree(part)
        self._failure(cell.id).unlink(missing_ok=True)

    def set_aside(self, cell: Cell, traceback: str) -> None:
        """Write down why a cell failed, and how often it was tried."""
        path = self._failure(cell.id)
        tries = 1 + (json.loads(path.read_bytes())["tries"] if path.exists() else 0)
        told = {"cell": json.loads(cell.identity), "tries": tries, "traceback": traceback}
        _write(path, json.dumps(told, indent=1) + "\n")

    def failures(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each cell that was set aside, by its id: its identity, how often it was tried, the last traceback."""
        if self._failed.is_dir():
            for path in sorted(self._failed.glob("*.json")):
                yield path.stem, json.loads(path.read_bytes())

    def lab(self, cell: Cell) -> Path:
        """Where a lab of this cell leaves its captures and logs; empty, whatever an earlier try left."""
        place = self.folder / "labs" / cell.id
        shutil.rmtree(place, ignore_errors=True)
        return place

    def write(self, told: dict[str, Any]) -> None:
        """Write `sweep.json`, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / "sweep.json", json.dumps({"format": FORMAT, **told}, indent=1, ensure_ascii=False) + "\n")

    def read(self) -> dict[str, Any]:
        """Read `sweep.json`; raises `FileNotFoundError`, or `ValueError` for a file that is none."""
        path = self.folder / "sweep.json"
        try:
            told: dict[str, Any] = json.loads(path.read_bytes())
            number = told["format"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path}: not the description of a sweep") from None
        if number > FORMAT:
            raise ValueError(f"{path}: format {number}; this version reads up to {FORMAT}: update penstock")
        return told

    def tidy(self) -> None:
        """Remove what processes of this machine that are gone have left half written."""
        for pattern in (".*", "cells/*/.*", "failed/.*"):
            for part in self.folder.glob(pattern):
                _, machine, number = part.name.rsplit("~", 2) if part.name.count("~") > 1 else ("", "", "")
                if machine == os.uname().nodename and number.isdecimal() and not _lives(int(number)):
                    shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)

    def take_in(self, other: Store) -> int:
        """Copy the cells of another folder that are missing here; how many there were."""
        taken = 0
        for path in sorted(other.folder.glob("cells/*/*/rows.json")):
            place = self._place(path.parent.name)
            if (place / "rows.json").exists():
                continue
            part = _beside(place)
            shutil.copytree(path.parent, part, dirs_exist_ok=True)
            os.rename(part, place)
            self._failure(place.name).unlink(missing_ok=True)
            taken += 1
        for name, told in other.failures():
            if not self._place(name).exists():
                _write(self._failure(name), json.dumps(told, indent=1) + "\n")
        return taken

    def draft(self) -> Path:
        """Where the table is written until it is whole."""
        return _beside(self.table)

    def _place(self, name: str) -> Path:
        return self.folder / "cells" / name[:2] / name

    def _failure(self, name: str) -> Path:
        return self._failed / f"{name}.json"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _beside(place: Path) -> Path:
    """Where a process writes what is then renamed to `place`; the name tells whose it is."""
    return place.with_name(f".{place.name}~{os.uname().nodename}~{os.getpid()}")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(path)
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)
