"""How far a sweep is, for people: a bar with the time left on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from testbed.sweep.campaign import Step

#: seconds between two lines where stderr is no terminal
_QUIET_S = 10.0


class Bar:
    """A progress bar with the time left on stderr; a line now and then where stderr is no terminal."""

    def __init__(self, total: int) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("cells", total=total)
        self._failed = 0
        self._told_s = 0.0

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, step: Step) -> None:
        self._progress.advance(self._task)
        if step is Step.FAILED:
            self._failed += 1
            self._progress.update(self._task, description=f"cells, {self._failed} failed")
        task = self._progress.tasks[0]
        if self._progress.disable and task.elapsed is not None and task.elapsed - self._told_s >= _QUIET_S:
            self._told_s = task.elapsed
            left = "" if task.time_remaining is None else f", {task.time_remaining:.0f} s left"
            print(f"{task.completed:,.0f} of {task.total:,.0f} cells, {self._failed} failed{left}", file=sys.stderr)
