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
    from testbed.timeline import page as of_timelines
    from testbed.timeline import telling as told

    try:
        manifest = read(args.run)
        along_a_timeline = "phases" in manifest["scenario"]
        page = of_timelines.write(args.run) if along_a_timeline else report.write(args.run)
        words = told.summary(args.run) if along_a_timeline else reading(manifest).summary(args.run)
    except FileNotFoundError as error:
        raise UsageError(f"'{args.run}' is no run folder: there is no {Path(error.filename).name} in it") from None
    except (ValueError, NotADirectoryError, PermissionError) as error:
        raise UsageError(str(error)) from None
    print(words)
    print(f"report: {page}")
    return 0
