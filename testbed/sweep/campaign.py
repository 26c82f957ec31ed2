"""Run the cells of a sweep that are not done yet: in tasks of a fitting size, a few under way at a time.

What is done is written at once, by this process alone. It holds a handful of cells, however many there are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from testbed.sweep import backends, planning
from testbed.sweep.engines import Engine
from testbed.sweep.store import Store
from testbed.sweep.values import Cell, Sweep
from testbed.sweep.worker import Outcome

#: cells of one task at most, however quick they are
_MOST = 500


class Step(Enum):
    """What became of one cell of this shard."""

    THERE = "there"  #: it was done before
    DONE = "done"
    FAILED = "failed"  #: set aside now
    ASIDE = "aside"  #: set aside before, and not tried again


@dataclass(slots=True)
class Tally:
    """How many cells of this shard met which end."""

    there: int = 0
    done: int = 0
    failed: int = 0
    aside: int = 0

    @property
    def whole(self) -> bool:
        return not self.failed and not self.aside


def run(
    sweep: Sweep,
    store: Store,
    engine: Engine,
    *,
    shard: planning.Shard,
    retry_failed: bool = False,
    progress: Callable[[Step], None] = lambda step: None,
) -> Tally:
    """Run what is missing; raises `EngineError` or `OtherCodeError` if it cannot go on. What is done is kept."""
    return _Running(sweep, store, engine, shard, retry_failed, progress).run()


class _Running:
    """One campaign under way."""

    def __init__(
        self,
        sweep: Sweep,
        store: Store,
        engine: Engine,
        shard: planning.Shard,
        retry_failed: bool,
        progress: Callable[[Step], None],
    ) -> None:
        self._sweep = sweep
        self._store = store
        self._engine = engine
        self._shard = shard
        self._retry_failed = retry_failed
        self._progress = progress
        self._tally = Tally()
        self._under_way: dict[Future[list[Outcome]], list[Cell]] = {}
        self._suspects: list[Cell] = []  # they were under way when a worker died
        self._size = 1  # cells of the next task

    def run(self) -> Tally:
        missing = self._missing()
        more = True
        while more or self._under_way or self._suspects:
            while more and not self._suspects and len(self._under_way) < self._engine.ahead:
                more = self._begin(missing)
            if self._under_way:
                for future in wait(self._under_way, return_when=FIRST_COMPLETED).done:
                    self._end(future, self._under_way.pop(future))
            elif self._suspects:  # alone now: if its worker dies again, it is the cell's own doing
                self._try_alone(self._suspects.pop(0))
        return self._tally

    def _missing(self) -> Iterator[Cell]:
        for cell in planning.cells(self._sweep):
            if not self._shard.has(cell):
                continue
            if self._store.has(cell):
                self._count(Step.THERE)
            elif self._store.failed(cell) and not self._retry_failed:
                self._count(Step.ASIDE)
            elif backends.find(cell.backend).alone:
                yield dataclasses.replace(cell, folder=str(self._store.lab(cell)))
            else:
                yield cell

    def _begin(self, missing: Iterator[Cell]) -> bool:
        """Begin one task; False if there was nothing left for it."""
        cells = list(islice(missing, self._size))
        if cells:
            self._under_way[self._submit(cells)] = cells
        return len(cells) == self._size

    def _submit(self, cells: list[Cell]) -> Future[list[Outcome]]:
        try:
            return self._engine.submit(cells)
        except Exception as error:
            if not self._engine.is_death(error):
                raise
        self._engine.renew()  # a worker has died while nobody was looking
        return self._engine.submit(cells)

    def _end(self, future: Future[list[Outcome]], cells: list[Cell]) -> None:
        try:
            outcomes = future.result()
        except BaseException as error:
            if not self._engine.is_death(error):
                raise
            if not self._suspects:
                self._engine.renew()
            self._suspects += cells
            return
        for cell, outcome in zip(cells, outcomes, strict=True):
            self._keep(cell, outcome)
        took_s = sum(outcome.seconds for outcome in outcomes)
        fitting = int(self._engine.task_s * len(cells) / took_s) if took_s > 0 else _MOST
        self._size = max(1, min(fitting, self._size * 4, _MOST))

    def _try_alone(self, cell: Cell) -> None:
        future = self._submit([cell])
        try:
            outcome = future.result()[0]
        except BaseException as error:
            if not self._engine.is_death(error):
                raise
            self._engine.renew()
            outcome = Outcome(None, f"The process that ran it died, alone with it: {error}\n", 0)
        self._keep(cell, outcome)

    def _keep(self, cell: Cell, outcome: Outcome) -> None:
        if outcome.rows is None:
            self._store.set_aside(cell, outcome.traceback)
            self._count(Step.FAILED)
        else:
            self._store.keep(cell, outcome.rows)
            self._count(Step.DONE)

    def _count(self, step: Step) -> None:
        setattr(self._tally, step.value, getattr(self._tally, step.value) + 1)
        self._progress(step)
