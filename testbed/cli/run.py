"""`penstock run SCENARIO`: one scenario, control included; a progress bar, a table, a run folder.

People's text and the bar go to stderr while it runs, the results to stdout; the last line names the report.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from testbed import workers
from testbed.cli import NoResultError, UsageError, running
from testbed.result import Row

if TYPE_CHECKING:
    from middlebox.policy import Policy
    from testbed.run_folder import Ran
    from testbed.scenario import Scenario

HELP = "measure one scenario under its policies, with a control run, and write a report"


def configure(parser: argparse.ArgumentParser) -> None:
    from testbed.scenario import SETTINGS
    from testbed.timeline.command import SETTINGS as OF_TIMELINES

    known = "; ".join(f"{name}: {setting.about}" for name, setting in SETTINGS.items())
    known += "; for scenarios along a timeline: " + "; ".join(f"{name}: {one}" for name, one in OF_TIMELINES.items())
    parser.add_argument("scenario", metavar="SCENARIO", help="a scenario's name, such as sni-filtering")
    parser.add_argument(
        "--policy", action="append", metavar="P", help="a shipped policy or a path; again for more (default: its own)"
    )
    parser.add_argument(
        "--backend", default="emulate", help="emulate: in a lab, or simulate: in virtual time (default: %(default)s)"
    )
    parser.add_argument("--attempts", type=int, metavar="N", help="attempts at each target under each policy")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the only source of chance (default: 1)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=known)
    workers.add_option(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the run folder (default: one of its own in runs/); never overwritten"
    )


def main(args: argparse.Namespace) -> int:
    from testbed.scenario import find

    try:
        scenario: object = find(args.scenario)
    except ValueError as error:
        raise UsageError(str(error)) from None
    from testbed.timeline import command
    from testbed.timeline.values import Timeline

    if isinstance(scenario, Timeline):  # it runs along a timeline, and not attempt by attempt
        return command.main(args, scenario)
    return _attempt_by_attempt(args)


def _attempt_by_attempt(args: argparse.Namespace) -> int:
    from testbed import report, run_folder
    from testbed.emulate.outside import LabError
    from testbed.emulate.tools import MissingToolError
    from testbed.reading import reading
    from testbed.residual import steps

    scenario, policies = _understand(args)
    command = running.command(args, scenario.slowdown)
    try:
        folder = run_folder.new_folder(scenario, args.out)
    except OSError as error:
        raise UsageError(f"--out: {error}") from None
    print(
        f"{scenario.question}\ncontrol, then {', '.join(one.name for one in policies)}; into {folder}", file=sys.stderr
    )
    if scenario.slowdown > 1:
        print(
            f"the network is {scenario.slowdown} times slower than it is meant to be, so that this slow machine keeps "
            "up (--set slowdown=1: not)",
            file=sys.stderr,
        )
    try:
        with _Bar(run_folder.total(scenario, policies)) as bar:

            def stage(name: str) -> None:
                bar.stage(name)
                if not name and steps(scenario):
                    bar.say(f"report so far: {report.write(folder)} (residual censorship is still being measured)")

            measure = _backend(args)
            ran = measure(
                scenario, policies, seed=args.seed, folder=folder, command=command, progress=bar.step, stage=stage
            )
    except (LabError, MissingToolError) as error:
        raise NoResultError(f"{error} (what was measured until then: {folder})") from None
    except KeyboardInterrupt:
        print(f"what was measured until now: {folder} ('penstock report {folder}' shows it)", file=sys.stderr)
        raise
    page = report.write(folder)
    print(reading(ran.manifest).summary(folder))
    for check in ran.checks:
        if not check.held:
            print(f"{'no result' if check.lab else 'failed'}: {check.text}", file=sys.stderr)
    print(f"report: {page}")
    return ran.status


def _backend(args: argparse.Namespace) -> Callable[..., Ran]:
    """What measures: in a lab, or in virtual time."""
    if args.backend == "simulate":
        from testbed.virtual import run as virtual

        return virtual.run
    from testbed import run

    return partial(run.run, workers=workers.count(args.workers))


def _understand(args: argparse.Namespace) -> tuple[Scenario, list[Policy]]:
    """The scenario as it is to be run, and its policies; raises `UsageError`."""
    from middlebox.load import LoadError
    from middlebox.policy import Policy
    from testbed.scenario import change, find
    from testbed.speed import slowdown

    virtual = running.is_virtual(args)
    try:
        scenario = change(find(args.scenario), args.set)
        if args.attempts is not None:
            scenario = dataclasses.replace(scenario, attempts=args.attempts)
        if not virtual and not running.sets_slowdown(args):
            scenario = dataclasses.replace(scenario, slowdown=slowdown())
    except ValueError as error:
        raise UsageError(str(error)) from None
    if virtual:
        from testbed.virtual.applications import missing

        if lacking := missing(scenario):
            raise UsageError(f"--backend simulate: scenario '{scenario.name}': {lacking}")
    policies: list[Policy] = []
    for name in args.policy or scenario.policies:
        try:
            policies.append(Policy.load(name))
        except LoadError as error:
            raise UsageError(str(error)) from None
    running.distinct([policy.name for policy in policies])
    try:
        workers.check(workers.count(args.workers), policies)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return scenario, policies


class _Bar:
    """A progress bar on stderr, for people; a plain line a leg where stderr is no terminal."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind is None:  # fewer probes than planned may have been enough
            self._progress.update(self._task, description="done", completed=self._progress.tasks[0].total)
        self._progress.stop()

    def step(self, row: Row) -> None:
        self._progress.advance(self._task)

    def stage(self, name: str) -> None:
        words = name or "last probes"
        self._progress.update(self._task, description=words)
        if self._progress.disable:
            print(f"measuring: {words}", file=sys.stderr)

    def say(self, text: str) -> None:
        """A line above the bar."""
        self._console.print(text, soft_wrap=True, markup=False, highlight=False)
