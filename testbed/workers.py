"""How many processes each box of a lab gets: a number, or as many as there are cores.

It starts none. Which policies cannot be shared out is the censor's own knowledge (`middlebox.splitting`).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from middlebox.drivers.sharing import MAX_WORKERS
from middlebox.policy import Policy
from middlebox.splitting import unsplittable

AUTO = "auto"  #: as many as this process may use cores


def count(wanted: int | str) -> int:
    """The number that is meant; raises ValueError for what is none."""
    if wanted == AUTO:
        return min(len(os.sched_getaffinity(0)), MAX_WORKERS)
    try:
        number = int(wanted)
    except ValueError:
        number = 0
    if not 1 <= number <= MAX_WORKERS:
        raise ValueError(f"workers '{wanted}': a number from 1 to {MAX_WORKERS}, or '{AUTO}', is expected")
    return number


def check(workers: int, policies: Iterable[Policy]) -> None:
    """Raise ValueError for the first policy that so many workers cannot share."""
    for policy in policies if workers > 1 else ():
        why = unsplittable(policy)
        if why:
            raise ValueError(why)


def add_option(parser: argparse.ArgumentParser) -> None:
    """The option by which commands are told."""
    parser.add_argument(
        "--workers",
        default="1",
        metavar="N",
        help="processes of each box, or 'auto': as many as cores; packets between two addresses are always the same "
        "one's (default: 1)",
    )
