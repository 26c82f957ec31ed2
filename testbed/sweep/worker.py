"""What a worker process does: it runs a few cells and gives their rows back. It writes nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from testbed.sweep import backends
from testbed.sweep.backends import Row
from testbed.sweep.values import Cell


class OtherCodeError(Exception):
    """A worker has another version of the code than the process that sends it cells."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell: its rows, or the traceback of what went wrong."""

    rows: list[Row] | None
    traceback: str
    seconds: float


def run_cells(cells: Sequence[Cell]) -> list[Outcome]:
    """Run cells one after the other; raises `OtherCodeError` and nothing else."""
    return [_run(cell) for cell in cells]


def _run(cell: Cell) -> Outcome:
    begin = time.perf_counter()
    backend = backends.find(cell.backend)
    here = backends.code(backend.sources)
    if here != cell.code:
        raise OtherCodeError(
            f"the worker on {os.uname().nodename} has other code ({here[:12]}) than this process ({cell.code[:12]}); "
            "give all of them the same version"
        )
    try:
        rows = backend.run(cell)
        for row in rows:
            if row.keys() != backend.columns.keys():
                strange = sorted(row.keys() ^ backend.columns.keys())
                raise TypeError(f"a row of the backend {cell.backend} has not its columns: {', '.join(strange)}")
    except Exception:
        return Outcome(None, traceback.format_exc(), time.perf_counter() - begin)
    return Outcome(rows, "", time.perf_counter() - begin)


def begin() -> None:
    """Let a process of ours end as soon as the one that started it is gone, however that ended, and not before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that gives out the work
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="parent").start()
