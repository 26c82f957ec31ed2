"""Where cells are run: in processes of this machine, on Dask's workers, or here. They differ in nothing else.

An engine hands out futures and survives the death of a worker; what is then to be done is the campaign's business.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from testbed.sweep.values import Cell
from testbed.sweep.worker import Outcome, begin, run_cells

#: tasks of a process before it gives way to a new one: what leaks in a cell stays small
_TASKS = 100
_AHEAD = 2  #: tasks for each worker
#: seconds until Dask's scheduler must have answered
_PATIENCE_S = 15
#: for so long what it said of its workers is believed
_FRESH_S = 1.0
_GONE = "Dask's scheduler is gone"


class EngineError(Exception):
    """The engine cannot be had, or is gone; the message is shown as it is."""


class Engine(Protocol):
    """What a campaign needs."""

    task_s: float  #: so long a task should take, for its overhead to be small; 0: as few cells as can be

    @property
    def ahead(self) -> int:
        """How many tasks should be under way or waiting, so that no worker is ever idle."""

    def submit(self, cells: Sequence[Cell]) -> Future[list[Outcome]]: ...
    def is_death(self, error: BaseException) -> bool:
        """Whether a task failed because its worker died, and not in its own code."""

    def renew(self) -> None:
        """Begin again with fresh workers, after a death."""

    def close(self) -> None: ...


class Here:
    """This process, one task at a time: for labs, of which there may never be two."""

    ahead = 1
    task_s = 0.0

    def submit(self, cells: Sequence[Cell]) -> Future[list[Outcome]]:
        done: Future[list[Outcome]] = Future()
        try:
            done.set_result(run_cells(cells))
        except Exception as error:
            done.set_exception(error)
        return done

    def is_death(self, error: BaseException) -> bool:
        return False

    def renew(self) -> None:
        pass

    def close(self) -> None:
        pass


class Processes:
    """Processes of this machine, each started afresh (spawn) and replaced after so many tasks.

    The pool's own `max_tasks_per_child` would do the second, but stops for ever while tasks wait (CPython issue
    115634, in Python 3.11 to 3.14). So the pool is replaced as a whole: the old one ends when its tasks are done.
    """

    task_s = 0.25

    def __init__(self, workers: int) -> None:
        self.ahead = _AHEAD * workers
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._given = 0

    def submit(self, cells: Sequence[Cell]) -> Future[list[Outcome]]:
        if self._pool is None or self._given >= _TASKS * self._workers:
            self.renew()
        assert self._pool is not None
        self._given += 1
        return self._pool.submit(run_cells, cells)

    def is_death(self, error: BaseException) -> bool:
        return isinstance(error, BrokenProcessPool)

    def renew(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False)
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self._workers, mp_context=context, initializer=begin)
        self._given = 0

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


class Dask:
    """Workers of Dask distributed: those of a scheduler, or else two or more of this machine's own.

    Dask gives the task of a worker that died to another one by itself, and gives it up after the fourth death.
    """

    task_s = 1.0  #: a task costs Dask ten milliseconds

    def __init__(self, scheduler: str, workers: int) -> None:
        try:
            from distributed import Client, KilledWorker
        except ImportError:
            raise EngineError(
                "--engine dask needs Dask distributed, which is not installed: pip install 'distributed>=2024.1'"
            ) from None
        self._killed: type[Exception] = KilledWorker
        try:
            if scheduler:
                self._client: Any = Client(scheduler, timeout=_PATIENCE_S, set_as_default=False)
                self._client.wait_for_workers(1, timeout=_PATIENCE_S)
            else:
                own = {"n_workers": workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
                self._client = Client(set_as_default=False, **own)
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineError(f"--scheduler {scheduler}: no scheduler with a worker answers there: {error}") from None
        self._executor = self._client.get_executor(pure=False)
        self._ahead, self._asked_s = _AHEAD, -_FRESH_S

    @property
    def ahead(self) -> int:
        """By as many workers as there are now: they come and go."""
        if time.monotonic() >= self._asked_s + _FRESH_S:
            try:
                threads: dict[str, int] = self._client.nthreads()
            except OSError as error:
                raise EngineError(f"{_GONE}: {error}") from None
            self._ahead, self._asked_s = _AHEAD * max(1, sum(threads.values())), time.monotonic()
        return self._ahead

    def submit(self, cells: Sequence[Cell]) -> Future[list[Outcome]]:
        try:
            future: Future[list[Outcome]] = self._executor.submit(run_cells, list(cells))
        except Exception as error:
            raise EngineError(f"{_GONE}: {error}") from None
        return future

    def is_death(self, error: BaseException) -> bool:
        if isinstance(error, CancelledError):  # so it looks when the scheduler is gone, and all its tasks with it
            raise EngineError(_GONE) from None
        return isinstance(error, self._killed)

    def renew(self) -> None:
        pass

    def close(self) -> None:
        self._client.close()


def cores() -> int:
    """How many processes may work at once: the cores that this process is allowed to use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


#: name -> how it is made, from the scheduler's address and the number of workers
ENGINES: dict[str, Callable[[str, int], Engine]] = {
    "processes": lambda scheduler, workers: Processes(workers),
    "dask": Dask,
}
