"""What `penstock run` understands alike for every scenario: the backend, policies' names, how to repeat it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from testbed.cli import UsageError
from testbed.result import CONTROL


def is_virtual(args: argparse.Namespace) -> bool:
    """Whether it runs in virtual time; raises `UsageError` for another backend, and for workers there."""
    if args.backend not in ("emulate", "simulate"):
        raise UsageError(f"--backend {args.backend}: unknown; 'emulate' and 'simulate' are those that there are")
    if args.backend == "simulate" and args.workers != "1":
        raise UsageError("--workers: a box in virtual time is no process")
    return bool(args.backend == "simulate")


def distinct(names: Sequence[str]) -> None:
    """Each policy has a folder of its own, and a word of its own in the rows; raises `UsageError`."""
    for name in names:
        if name == CONTROL:
            raise UsageError(f"a policy is called '{CONTROL}', as the run without a policy is; give it another name")
        if names.count(name) > 1:
            raise UsageError(f"two policies are called '{name}'; the rows could not tell them apart")


def sets_slowdown(args: argparse.Namespace) -> bool:
    """Whether `--set` says how slow the network is to be."""
    return any(word.startswith("slowdown=") for word in args.set)


def command(args: argparse.Namespace, slowdown: int) -> list[str]:
    """The command line that repeats this run; without `--out`, which may not be used twice."""
    words = ["run", args.scenario]
    for name in args.policy or []:
        words += ["--policy", name]
    if args.backend != "emulate":
        words += ["--backend", args.backend]
    if args.attempts is not None:
        words += ["--attempts", str(args.attempts)]
    for setting in args.set:
        words += ["--set", setting]
    if slowdown > 1 and not sets_slowdown(args):
        words += ["--set", f"slowdown={slowdown}"]
    if args.workers != "1":
        words += ["--workers", args.workers]
    return [*words, "--seed", str(args.seed)]
