"""`penstock report RUN`: the report of a run folder again, from its rows and its manifest.

It measures nothing, and changes nothing but `report.html` and `figures/`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from testbed.cli import UsageError

HELP = "make a run's report again, from its rows and its manifest"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")


def main(args: argparse.Namespace) -> int:
    from testbed import report
    from testbed.manifest import read
    from testbed.reading import reading

    try:
        page = report.write(args.run)
        words = reading(read(args.run)).summary(args.run)
    except FileNotFoundError as error:
        raise UsageError(f"'{args.run}' is no run folder: there is no {Path(error.filename).name} in it") from None
    except (ValueError, NotADirectoryError, PermissionError) as error:
        raise UsageError(str(error)) from None
    print(words)
    print(f"report: {page}")
    return 0
