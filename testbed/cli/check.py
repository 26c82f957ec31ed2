"""`penstock check POLICY`: say what is wrong with a policy, or read it back as sentences."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap

from middlebox.load import LoadError, Problem, load_whole
from testbed.cli import UsageError

HELP = "validate a policy and read it back as sentences"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("policy", metavar="POLICY", help="a policy file, or the name of a shipped policy")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: problems, warnings, sentences")


def main(args: argparse.Namespace) -> int:
    try:
        loaded = load_whole(args.policy)
    except LoadError as error:
        if args.json:
            for problem in error.problems:
                print(json.dumps({"problem": _row(problem)}))
        count = len(error.problems)
        raise UsageError(f"{args.policy} has {count} problem{'s' if count > 1 else ''}\n{error}") from None
    sentences = loaded.policy.sentences()
    if args.json:
        for warning in loaded.warnings:
            print(json.dumps({"warning": _row(warning)}))
        for sentence in sentences:
            print(json.dumps({"sentence": sentence}))
        return 0
    print(f"{args.policy} is valid.\n")
    for sentence in sentences:
        print(textwrap.fill(sentence, 110, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _row(problem: Problem) -> dict[str, str | int]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "found": problem.found,
        "expected": problem.expected,
        "suggestion": problem.suggestion,
    }
