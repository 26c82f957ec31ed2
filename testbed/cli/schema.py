"""`penstock schema`: the JSON Schema of a policy file, for editors."""

from __future__ import annotations

import argparse
import json

from middlebox.schema import EDITOR_LINE, json_schema

HELP = "print the JSON Schema of a policy file"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "Write it to a file beside your policies, and let their first line name it, so that an editor completes them:\n"
        f"  penstock schema > policy.schema.json\n  {EDITOR_LINE}"
    )


def main(args: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0
