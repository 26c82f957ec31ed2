"""Whether virtual time is the same to the byte under another Python.

    python -m experiments.same_bytes PYTHON [--scenario NAME ...] [--attempts 1] [--seed 1]

Runs scenarios with this interpreter and with PYTHON (a path; it needs this project's packages), and compares rows,
decisions, captures, transfers and probes. Manifests, reports and figures name versions and times, and are not compared.

Exit status 1 if a file differs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

#: what follows from the seed alone
FILES = ("rows.csv", "rows.jsonl", "series.jsonl", "probes.jsonl", "decisions.jsonl", "*.pcap")
SCENARIOS = ("sni-filtering", "evasion", "throttling")


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each such file of a run, by its path in the folder."""
    found = sorted(path for name in FILES for path in folder.rglob(name))
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in found}


def run(python: str, scenario: str, folder: Path, attempts: int, seed: int) -> dict[str, str]:
    """What an interpreter makes of a scenario; raises RuntimeError with its last words if it makes nothing."""
    words = ["-m", "testbed.cli", "run", scenario, "--backend", "simulate", "--seed", str(seed), "--out", str(folder)]
    if attempts:
        words += ["--attempts", str(attempts)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([python, *words], cwd=root, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1):  # 1: a check did not hold, which is none of this program's business
        raise RuntimeError(f"{python} ended with {done.returncode}: {done.stderr[-500:]}")
    return digests(folder)


def different(here: dict[str, str], there: dict[str, str]) -> list[str]:
    """The files that differ, or that only one of them has."""
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("python", help="the other interpreter")
    parser.add_argument("--scenario", action="append", metavar="NAME", help=f"(default: {', '.join(SCENARIOS)})")
    parser.add_argument("--attempts", type=int, default=1, help="0: as the scenario says (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    same = True
    for scenario in options.scenario or SCENARIOS:
        with tempfile.TemporaryDirectory() as folder:
            here, there = (
                run(python, scenario, Path(folder, name), options.attempts, options.seed)
                for name, python in (("here", sys.executable), ("there", options.python))
            )
        apart = different(here, there)
        same = same and not apart
        print(f"{scenario}: {len(here)} files, {'all the same' if not apart else 'different: ' + ', '.join(apart)}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
