"""`penstock test`: every check that the continuous integration makes, in one verb.

Fixes nothing. It wants the checkout and the `dev` libraries (`./penstock test` installs them).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from testbed.cli import UsageError

HELP = "all the tests: style, types, import contracts, then pytest with the arguments given"

#: the checkout
ROOT = Path(__file__).resolve().parents[2]

#: what is run before pytest, in this order, each by this Python
CHECKS = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "import contracts": [
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ],
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "penstock test [PYTEST ARGUMENT ...]   (such as -x, -k residual, -m 'not lab', tests/middlebox)\n"
        "       penstock test compiled   (compiles the engine, runs its tests, and compares it with plain Python)"
    )
    parser.prefix_chars = "\0"  # so that every word, `-k` too, is taken for an argument of pytest
    parser.add_argument("arguments", nargs="*", help="given to pytest as they are")
    parser.set_defaults(help_page=parser.format_help())


def main(args: argparse.Namespace) -> int:
    """Run everything, also after a failure; 0 if all passed, else 1."""
    if args.arguments[:1] in (["-h"], ["--help"]):
        print(args.help_page)
        return 0
    if not (ROOT / "tests").is_dir():
        raise UsageError(f"{ROOT} has no tests: this verb works from a checkout")
    if args.arguments == ["compiled"]:
        return _compiled()
    missing = [name for name in ("ruff", "mypy", "importlinter", "hypothesis") if find_spec(name) is None]
    if missing:
        raise UsageError(f"not installed: {', '.join(missing)}; start it as ./penstock test, or run ./setup --dev")
    failed = []
    with tempfile.TemporaryDirectory(prefix="penstock-test-") as scratch:
        environment = _environment(scratch)
        for name, words in CHECKS.items():
            print(f"== {name}", flush=True)
            if subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=False).returncode:
                failed.append(name)
        print("== pytest", flush=True)
        words = ["-m", "pytest", *(["-p", "no:cacheprovider"] if not _writable() else []), *args.arguments]
        tests = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=False).returncode
    if failed:
        print(f"penstock test: failed: {', '.join(failed)}{', pytest' if tests else ''}", file=sys.stderr)
    return 1 if failed or tests else 0


def _compiled() -> int:
    """The tests of the engine once more, on the compiled one; and whether both decide alike, packet by packet."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PENSTOCK_PLAIN")}
    if subprocess.run([ROOT / "setup", "--dev", "--fast"], env=environment, check=False).returncode:
        return 3
    failed = 0
    for words in (
        ["-m", "pytest", "-p", "no:cacheprovider", "-m", "not lab", "tests/middlebox"],  # one test is of the source
        ["-m", "experiments.benchmarks.same_decisions"],
    ):
        print(f"== {' '.join(words)}", flush=True)
        failed |= subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=False).returncode
    return 1 if failed else 0


def _writable() -> bool:
    return os.access(ROOT, os.W_OK)


def _environment(scratch: str) -> dict[str, str]:
    """The caller's, for the engine's source; the tools' caches go to `scratch` if the checkout is somebody else's."""
    environment = os.environ | {"PENSTOCK_PLAIN": "1"}
    if not _writable():
        for name in ("RUFF_CACHE_DIR", "MYPY_CACHE_DIR", "HYPOTHESIS_STORAGE_DIRECTORY"):
            environment[name] = str(Path(scratch, name.lower()))
    return environment
