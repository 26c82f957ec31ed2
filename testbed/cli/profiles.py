"""`penstock profiles [NAME]`: the policies that come with penstock; one of them with its sources."""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import asdict

from middlebox.grammar.document import GRADES
from middlebox.grammar.problem import listed, near
from middlebox.load import Loaded, load_whole, shipped
from testbed.cli import UsageError

HELP = "the shipped policies; one of them with its sources and grades"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="one of the shipped policies (default: all of them)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def main(args: argparse.Namespace) -> int:
    known = shipped()
    if args.name is None:
        every = {name: load_whole(name) for name in known}
        if args.json:
            for loaded in every.values():
                print(json.dumps(_row(loaded)))
            return 0
        width = max(map(len, known)) + 2
        for name, loaded in every.items():
            print(textwrap.fill(f"{name:<{width}}{loaded.policy.about}", 110, subsequent_indent=" " * width))
        return 0
    if args.name not in known:
        hint = near(args.name, known) or f"there are {listed(known, 'and')}"
        raise UsageError(f"no shipped policy '{args.name}'; {hint}")
    loaded = load_whole(args.name)
    if args.json:
        print(json.dumps(_row(loaded)))
        return 0
    for sentence in loaded.policy.sentences():
        print(textwrap.fill(sentence, 110, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
    if loaded.sources:
        print("\nSources:")
    for source in loaded.sources:
        where = f"{source.source}{f', {source.url}' if source.url else ''}"
        print(textwrap.fill(f"  [{source.grade}] {source.what}: {where}", 110, subsequent_indent="      "))
    used = sorted({source.grade for source in loaded.sources}, key=list(GRADES).index)
    for grade in used:
        print(f"{'Grades: ' if grade == used[0] else '        '}{grade}: {GRADES[grade]}")
    print(f"\nThe file: {known[args.name]}")
    return 0


def _row(loaded: Loaded) -> dict[str, object]:
    policy = loaded.policy
    return {
        "name": policy.name,
        "about": policy.about,
        "placement": policy.ability.placement.value,
        "rules": [rule.name for rule in policy.rules],
        "sources": [asdict(source) for source in loaded.sources],
        "path": str(policy.path),
    }
