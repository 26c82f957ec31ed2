"""`penstock doctor`: what this machine has for a lab, and what follows from it. Installs and changes nothing."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from testbed.checkup import Line, report

HELP = "what this machine has for a lab, and what follows from it"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line (default: a page for people)")


def main(args: argparse.Namespace) -> int:
    """Print the report; 0 if a lab can run here, else 1."""
    section = ""
    line: Line | None = None
    for line in report():
        if args.json:
            print(json.dumps(asdict(line)))
            continue
        if line.section != section:
            section = line.section
            print(f"\n{section}" if section != "lab" else "")
        print(_as_text(line))
    return 0 if line is not None and line.found else 1


def _as_text(line: Line) -> str:
    if line.section == "lab":
        return f"{line.name} {line.detail}: {line.follows}"
    state = "" if line.section == "machine" else "found  " if line.found else "MISSING" if line.needed else "missing"
    said = " ".join(part for part in (line.detail, line.follows and f"-> {line.follows}") if part)
    return f"  {state:<8} {line.name:<22} {said}".rstrip() if state else f"  {line.name:<31} {said}".rstrip()
