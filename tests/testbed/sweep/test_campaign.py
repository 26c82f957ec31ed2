"""A campaign: what is missing is run and kept, what fails is set aside, and a dead worker costs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from testbed.sweep import campaign, planning
from testbed.sweep.backends import Row
from testbed.sweep.campaign import Step
from testbed.sweep.engines import Here
from testbed.sweep.store import Store
from testbed.sweep.values import Cell, Sweep
from testbed.sweep.worker import Outcome, run_cells
from tests.testbed.sweep.made import pretend, row, sweep

ALL = planning.Shard()


class _Dying:
    """An engine whose worker dies when a cell says so, and takes with it what else is under way."""

    task_s = 1.0
    ahead = 3

    def __init__(self, dies: Callable[[Cell], bool]) -> None:
        self._dies = dies
        self._waiting: list[tuple[Sequence[Cell], Future[list[Outcome]]]] = []
        self.renewed = 0

    def submit(self, cells: Sequence[Cell]) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = Future()
        self._waiting.append((cells, future))
        broken = any(self._dies(cell) for cell in cells)
        for some, one in self._waiting:
            if one.done():
                continue
            if broken:
                one.set_exception(BrokenPipeError("dead"))
            elif len(self._waiting) >= self.ahead or len(some) == 1:
                one.set_result(run_cells(some))
        return future

    def is_death(self, error: BaseException) -> bool:
        return isinstance(error, BrokenPipeError)

    def renew(self) -> None:
        self.renewed += 1

    def close(self) -> None:
        pass


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that were run, in order."""
    seeds: list[int] = []

    def run(cell: Cell) -> list[Row]:
        seeds.append(cell.seed)
        return [row(cell, float(cell.seed))]

    pretend(monkeypatch, run)
    return seeds


def made(last: int = 10) -> Sweep:
    return sweep(seeds=(range(1, last + 1),))


def test_what_is_there_is_not_run_again(ran: list[int], tmp_path: Path) -> None:
    steps: list[Step] = []
    assert campaign.run(made(4), Store(tmp_path), Here(), shard=ALL).done == 4
    tally = campaign.run(made(10), Store(tmp_path), Here(), shard=ALL, progress=steps.append)
    assert (tally.there, tally.done, tally.whole) == (4, 6, True)
    assert ran == list(range(1, 11))
    assert Counter(steps) == {Step.THERE: 4, Step.DONE: 6}


def test_each_cell_is_kept_before_the_next_is_begun_where_they_take_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    there: list[int] = []

    def run(cell: Cell) -> list[Row]:
        assert cell.folder == str(tmp_path / "labs" / cell.id)
        there.append(len(list(tmp_path.glob("cells/*/*/rows.json"))))
        return [row(cell)]

    pretend(monkeypatch, run, alone=True)
    campaign.run(made(4), store, Here(), shard=ALL)
    assert there == [0, 1, 2, 3]


def test_failed_cells_are_set_aside_and_tried_again_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = {2, 5}

    def run(cell: Cell) -> list[Row]:
        if cell.seed in broken:
            raise RuntimeError("broken")
        return [row(cell)]

    pretend(monkeypatch, run)
    store = Store(tmp_path)
    tally = campaign.run(made(6), store, Here(), shard=ALL)
    assert (tally.done, tally.failed, tally.whole) == (4, 2, False)
    tally = campaign.run(made(6), store, Here(), shard=ALL)
    assert (tally.there, tally.done, tally.failed, tally.aside) == (4, 0, 0, 2)
    broken.remove(2)
    tally = campaign.run(made(6), store, Here(), shard=ALL, retry_failed=True)
    assert (tally.there, tally.done, tally.failed) == (4, 1, 1)
    ((_, told),) = store.failures()
    assert told["tries"] == 2


def test_what_was_under_way_when_a_worker_died_is_run_again_alone(ran: list[int], tmp_path: Path) -> None:
    deaths = iter([True])
    engine = _Dying(lambda cell: cell.seed == 3 and next(deaths, False))
    tally = campaign.run(made(), Store(tmp_path), engine, shard=ALL)
    assert (tally.done, tally.failed) == (10, 0)
    assert engine.renewed == 1


def test_a_cell_that_kills_its_worker_again_is_set_aside(ran: list[int], tmp_path: Path) -> None:
    store = Store(tmp_path)
    tally = campaign.run(made(), store, _Dying(lambda cell: cell.seed == 3), shard=ALL)
    assert (tally.done, tally.failed) == (9, 1)
    ((_, told),) = store.failures()
    assert told["cell"]["seed"] == 3
    assert told["traceback"] == "The process that ran it died, alone with it: dead\n"


def test_shards_run_each_cell_once_between_them(ran: list[int], tmp_path: Path) -> None:
    for number in (1, 2, 3):
        campaign.run(made(), Store(tmp_path), Here(), shard=planning.Shard(number, 3))
    assert sorted(ran) == list(range(1, 11))


def test_an_error_of_the_engine_itself_ends_the_campaign(tmp_path: Path) -> None:
    import dataclasses

    from testbed.sweep.worker import OtherCodeError

    with pytest.raises(OtherCodeError):
        campaign.run(dataclasses.replace(made(), code="another"), Store(tmp_path), Here(), shard=ALL)
