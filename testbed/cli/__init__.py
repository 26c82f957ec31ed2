"""The command line: one file a verb, listed here; a verb's module is imported only when it is used.

Each verb module has `HELP` (one line), `configure(parser)` and `main(args) -> int` (the exit status:
0 as expected, 1 a check failed, 2 bad usage or input, 3 the lab could give no result).
"""

from __future__ import annotations

import argparse
import importlib
import sys

#: verb -> module; the order is that of the help page
VERBS = {
    "run": "testbed.cli.run",
    "exec": "testbed.cli.exec",
    "shell": "testbed.cli.shell",
    "sweep": "testbed.cli.sweep",
    "check": "testbed.cli.check",
    "replay": "testbed.cli.replay",
    "profiles": "testbed.cli.profiles",
    "report": "testbed.cli.report",
    "doctor": "testbed.cli.doctor",
    "schema": "testbed.cli.schema",
    "test": "testbed.cli.test",
}

ABOUT = "penstock: a simulation testbed of the censorship middlebox"


class UsageError(Exception):
    """Bad usage or bad input; the message is shown as it is and the exit status is 2."""


class NoResultError(Exception):
    """The lab could give no result; the message is shown as it is and the exit status is 3."""


def _help() -> str:
    lines = [ABOUT, "", "usage: penstock VERB [OPTION ...]      (penstock VERB --help tells more)", ""]
    lines += [f"  {verb:<10}{importlib.import_module(module).HELP}" for verb, module in VERBS.items()]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; return the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if words else 2
    verb = words[0]
    if verb not in VERBS:
        from difflib import get_close_matches

        near = get_close_matches(verb, VERBS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        print(f"penstock: no verb '{verb}'{hint} ('penstock --help' lists them)", file=sys.stderr)
        return 2
    module = importlib.import_module(VERBS[verb])
    parser = argparse.ArgumentParser(prog=f"penstock {verb}", description=module.HELP)
    module.configure(parser)
    try:
        status: int = module.main(parser.parse_args(words[1:]))
    except UsageError as error:
        print(f"penstock {verb}: {error}", file=sys.stderr)
        return 2
    except NoResultError as error:
        print(f"penstock {verb}: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print(f"penstock {verb}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away (`penstock ... | head`)
        sys.stdout = None
        return 0
    return status
