"""Engines: real processes, and a real scheduler of Dask with two workers of which one is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from testbed.sweep import campaign, engines, planning, table
from testbed.sweep.store import Store
from testbed.sweep.values import Sweep
from tests.testbed.sweep.made import parameter, sweep

ROOT = Path(__file__).parents[3]
ALL = planning.Shard()
needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None or find_spec("pyarrow") is None,
    reason="Dask distributed or pyarrow is not installed (the extras 'dist' and 'sweep')",
)


def quick(last: int, content: str = "1 kB") -> Sweep:
    return sweep(workloads=("tls-download",), parameters=(parameter("content", content),), seeds=(range(1, last + 1),))


@contextmanager
def processes(workers: int) -> Iterator[engines.Processes]:
    engine = engines.Processes(workers)
    try:
        yield engine
    finally:
        engine.close()


def wait_until(holds: Callable[[], bool], limit_s: float = 20) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_processes_are_replaced_after_so_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_TASKS", 2)
    cells = list(planning.cells(quick(1)))
    with processes(1) as engine:
        pools = []
        for _ in range(4):
            assert engine.submit(cells).result(timeout=60)[0].rows
            pools.append(id(engine._pool))
    assert pools[0] == pools[1]
    assert pools[1] != pools[2]
    assert pools[2] == pools[3]


def test_a_killed_worker_costs_no_cell(tmp_path: Path) -> None:
    store = Store(tmp_path)
    killed: list[int] = []

    def progress(step: campaign.Step) -> None:
        if not killed:
            killed.extend(one.pid or 0 for one in multiprocessing.active_children()[:1])
            os.kill(killed[0], signal.SIGKILL)

    with processes(1) as engine:
        tally = campaign.run(quick(60, "2 MB"), store, engine, shard=ALL, progress=progress)
    assert killed
    assert (tally.done, tally.failed) == (60, 0)


def test_no_worker_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    program = (
        "import time\n"
        "from testbed.sweep import engines, planning\n"
        "if __name__ == '__main__':\n"
        "    engine = engines.Processes(1)\n"
        "    engine.submit([]).result()\n"
        "    print(next(iter(engine._pool._processes)), flush=True)\n"
        "    time.sleep(60)\n"
    )
    (tmp_path / "holds.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "holds.py")], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not _runs(worker))


def _runs(pid: int) -> bool:
    """Whether a process is there and no mere entry that nobody has asked for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_without_dask_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(engines.EngineError, match=r"pip install 'distributed>=2024.1'"):
        engines.Dask("", 1)


class _Gone:
    """A client whose scheduler went away after the beginning."""

    def __init__(self, *_: object, **__: object) -> None:
        self.submit = self.nthreads = self.wait_for_workers

    def get_executor(self, **_: object) -> _Gone:
        return self

    def wait_for_workers(self, *_: object, **__: object) -> None:
        raise OSError("connection refused")


def test_a_scheduler_that_is_gone_or_was_never_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("distributed")
    module.__dict__.update(Client=_Gone, KilledWorker=RuntimeError)
    monkeypatch.setitem(sys.modules, "distributed", module)
    with pytest.raises(engines.EngineError, match="--scheduler tcp://x:1: no scheduler with a worker answers there"):
        engines.Dask("tcp://x:1", 1)
    engine = engines.Dask("", 1)
    with pytest.raises(engines.EngineError, match="Dask's scheduler is gone: connection refused"):
        assert engine.ahead
    with pytest.raises(engines.EngineError, match="Dask's scheduler is gone: connection refused"):
        engine.submit([])
    with pytest.raises(engines.EngineError, match="Dask's scheduler is gone"):
        engine.is_death(CancelledError())
    assert engine.is_death(RuntimeError("killed"))


@contextmanager
def dask_process(*words: str, said: str) -> Iterator[tuple[int, str]]:
    """A program of Dask's; its process id and the line that has what is waited for."""
    with subprocess.Popen(
        [sys.executable, "-m", *words, "--no-dashboard"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stderr is not None
            line = next(line for line in program.stderr if said in line)
            yield program.pid, line
        finally:
            program.kill()


@needs_dask
def test_two_workers_of_dask_of_which_one_is_killed_give_every_cell(tmp_path: Path) -> None:
    made = quick(200, "300 kB")
    there = Store(tmp_path / "dask")
    killed: list[int] = []
    scheduler = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0")
    with dask_process(*scheduler, said="Scheduler at:") as (_, line):
        address = line.split()[-1]
        worker = ("distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1")
        with (
            dask_process(*worker, said="Registered to") as (first, _),
            dask_process(*worker, said="Registered to"),
        ):
            engine = engines.Dask(address, 0)
            assert engine.ahead == 4

            def progress(step: campaign.Step) -> None:
                if len(list((tmp_path / "dask" / "cells").glob("*/*/rows.json"))) == 100 and not killed:
                    os.kill(first, signal.SIGKILL)
                    killed.append(first)

            try:
                tally = campaign.run(made, there, engine, shard=ALL, progress=progress)
            finally:
                engine.close()
    assert killed
    assert (tally.done, tally.failed) == (200, 0)
    here = Store(tmp_path / "here")
    campaign.run(made, here, engines.Here(), shard=ALL)
    for store in (there, here):
        assert table.write(made, store) == (200, 0)
    assert there.table.read_bytes() == here.table.read_bytes()
