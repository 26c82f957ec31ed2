"""`penstock exec`: any command inside a lab, as if it were run there: its files, signals and exit status are its own.

Says nothing itself unless something is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from testbed import workers
from testbed.cli import NoResultError, UsageError
from testbed.emulate.outside import LabError
from testbed.emulate.terminal import run_here
from testbed.emulate.tools import MissingToolError
from testbed.lab import Lab

HELP = "run any command inside a lab, under a policy"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = "penstock exec [OPTION ...] -- COMMAND [ARGUMENT ...]"
    add_lab_options(parser)
    parser.add_argument(
        "--from", dest="host", metavar="HOST", help="the host to run on (default: the first subscriber)"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...", help="the command")


def add_lab_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what lab is wanted."""
    parser.add_argument(
        "--policy", metavar="P", help="a shipped policy's name or a file (default: no policy, a control)"
    )
    parser.add_argument("--topology", metavar="T", help="national (default), small, long, asymmetric, two-boxes")
    parser.add_argument("--site", action="append", default=[], metavar="NAME", help="a host name to serve; repeatable")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the only source of chance (default: 0)")
    parser.add_argument(
        "--fail", choices=("closed", "open"), default="closed", help="what a dead box does (default: closed)"
    )
    workers.add_option(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep decisions, captures and logs in this new folder")


def lab_from(
    args: argparse.Namespace, *, policy: str | None = None, topology: str | None = None, sites: Sequence[str] = ()
) -> Lab:
    """The lab that the options ask for, and the rest as given; not yet started. Raises UsageError."""
    from middlebox.load import LoadError

    try:
        return Lab(
            args.policy or policy,
            args.topology or topology,
            [*args.site, *sites],
            args.seed,
            args.out,
            fail=args.fail,
            workers=args.workers,
        )
    except (LoadError, ValueError) as error:
        raise UsageError(str(error)) from error


def main(args: argparse.Namespace) -> int:
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        raise UsageError(
            "no command; say for example: penstock exec --policy gfw-like -- curl https://blocked.example/"
        )
    lab = lab_from(args)
    try:
        if args.host is not None:
            lab.topology.node(args.host)
        with lab:
            ended = run_here(lab.host(args.host) if args.host else lab.client, command)
            if ended.error:
                print(f"penstock exec: {ended.error}", file=sys.stderr)
            dead, words = lab.dead(), lab.last_words()
            stats = {name: lab.box_stats(name) or {} for name in lab.boxes}
    except ValueError as error:
        raise UsageError(str(error)) from error
    except (LabError, MissingToolError) as error:
        raise NoResultError(str(error)) from error
    if dead:
        raise NoResultError(
            f"{' and '.join(dead)} died while the command ran"
            f"{''.join(f' ({said})' for said in words.values())}, so what it saw says nothing of the policy"
        )
    for name, figures in stats.items():
        if figures.get("queue_drops"):
            lost = f"{name} was overloaded and lost {figures['queue_drops']} packets"
            print(f"penstock exec: {lost}: do not trust the result", file=sys.stderr)
    return ended.status or 0
