"""`penstock run` of a timeline: what the command line says, the progress bar, the summary, the exit status."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from testbed import workers
from testbed.cli import NoResultError, UsageError, running
from testbed.scenario import unknown
from testbed.timeline.values import Timeline, with_tools

if TYPE_CHECKING:
    from middlebox.policy import Policy
    from testbed.timeline.run import Backend

#: what `--set` changes -> how to read it, and what it does; beside `tools`
_NUMBERS: dict[str, tuple[Callable[[str], float], str]] = {
    "stretch": (float, "all phases so many times longer"),
    "slowdown": (int, "the network and all patience so many times slower"),
    "connect": (float, "seconds after which a tool that is not up is started anew"),
    "patience": (float, "seconds without an answer after which a tool is connected anew"),
    "probe": (float, "seconds between two probes"),
}
_FIELDS = {"connect": "connect_s", "patience": "patience_s", "probe": "probe_s"}
SETTINGS = {**{name: about for name, (_, about) in _NUMBERS.items()}, "tools": "these tools alone, with commas between"}


def main(args: argparse.Namespace, timeline: Timeline) -> int:
    """Run it; the exit status is that of INTERFACE.md."""
    from testbed.lab import LabError, MissingToolError
    from testbed.timeline import page, run
    from testbed.timeline.telling import summary
    from testbed.tool import ToolError

    timeline, policies = understand(args, timeline)
    try:
        folder = run.folder_for(timeline, args.out)
    except OSError as error:
        raise UsageError(f"--out: {error}") from None
    seconds = run.total_s(timeline, policies)
    print(
        f"{timeline.question}\n{', then '.join(['control', ', '.join(one.name for one in policies)])}; "
        f"{seconds / 60:.1f} {'simulated ' if args.backend == 'simulate' else ''}minutes; into {folder}",
        file=sys.stderr,
    )
    if timeline.slowdown > 1:
        print(
            f"everything is {timeline.slowdown} times slower than it is meant to be, so that this slow machine keeps "
            f"up "
            "(--set slowdown=1: not)",
            file=sys.stderr,
        )
    try:
        with _Bar(seconds) as bar:
            ran = run.run(
                timeline,
                policies,
                seed=args.seed,
                folder=folder,
                command=running.command(args, timeline.slowdown),
                backend=_backend(args),
                workers=workers.count(args.workers),
                stage=bar.stage,
                passed=bar.passed,
            )
    except (LabError, MissingToolError, ToolError) as error:
        raise NoResultError(f"{error} (what was measured until then: {folder})") from None
    except KeyboardInterrupt:
        print(f"what was measured until now: {folder} ('penstock report {folder}' shows it)", file=sys.stderr)
        raise
    path = page.write(folder)
    print(summary(folder))
    for check in ran.checks:
        if not check.held:
            print(f"{'no result' if check.lab else 'failed'}: {check.text}", file=sys.stderr)
    print(f"report: {path}")
    return ran.status


def understand(args: argparse.Namespace, timeline: Timeline) -> tuple[Timeline, list[Policy]]:
    """The timeline as it is to be run, and its policies; raises `UsageError`."""
    from middlebox.load import LoadError
    from middlebox.policy import Policy
    from testbed.speed import slowdown

    virtual = running.is_virtual(args)
    try:
        if not virtual and not running.sets_slowdown(args):
            timeline = dataclasses.replace(timeline, slowdown=slowdown())
        timeline = change(timeline, args.set)
        if args.attempts is not None:
            timeline = dataclasses.replace(timeline, attempts=args.attempts)
        if virtual:
            from testbed.virtual.timeline.run import missing

            if lacking := missing(timeline):
                raise ValueError(f"--backend simulate: scenario '{timeline.name}': {lacking}")
        policies = [Policy.load(name) for name in args.policy or timeline.policies]
        workers.check(workers.count(args.workers), policies)
    except (ValueError, LoadError) as error:
        raise UsageError(str(error)) from None
    running.distinct([policy.name for policy in policies])
    return timeline, policies


def _backend(args: argparse.Namespace) -> Backend | None:
    """What measures, if not a lab."""
    if args.backend != "simulate":
        return None
    from testbed.virtual.timeline.run import SIMULATED

    return SIMULATED


def change(timeline: Timeline, words: list[str]) -> Timeline:
    """The timeline with each "KEY=VALUE" carried out; raises `ValueError` for what cannot be."""
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"'--set {word}': expected KEY=VALUE, such as --set stretch=2")
        if key == "tools":
            timeline = with_tools(timeline, [one for one in text.split(",") if one])
            continue
        if key not in _NUMBERS:
            raise ValueError(f"'--set {word}': {unknown('setting', key, SETTINGS)}")
        try:
            value = _NUMBERS[key][0](text)
        except ValueError:
            raise ValueError(f"'--set {word}': '{text}' is not a number") from None
        field = _FIELDS.get(key, key)
        timeline = dataclasses.replace(timeline, **{field: value})  # type: ignore[arg-type]
    return timeline


class _Bar:
    """A progress bar on stderr, which fills as time passes; a plain line a leg where stderr is no terminal."""

    def __init__(self, seconds: float) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:<32}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=seconds)
        self._told = ""

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind is None:
            self._progress.update(self._task, description="done", completed=self._progress.tasks[0].total)
        self._progress.stop()

    def passed(self, seconds: float) -> None:
        self._progress.update(self._task, completed=seconds)

    def stage(self, name: str) -> None:
        self._progress.update(self._task, description=name)
        leg = name.partition(",")[0]
        if self._progress.disable and leg != self._told:
            self._told = leg
            print(f"measuring: {leg}", file=sys.stderr)
