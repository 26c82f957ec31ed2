"""Does virtual time tell the same as the real kernel?

    python -m experiments.simulate_vs_emulate [SCENARIO] [--attempts N] [--seed 1] [--emulated RUN] [--out DIR]

One scenario on both backends with the same seed, compared by what it measures (`experiments.agreement`): attempts at
targets, transfers, or a timeline. `--emulated` takes a run that there is, instead of a lab. Exit status 1 if something
differs that must not. Writes `agreement.md` and `agreement.svg`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

from experiments.agreement import goodputs, handshakes, timelines
from scenarios import SCENARIOS
from testbed.cli import main as penstock
from testbed.scenario import Kind, Scenario, find
from testbed.timeline.values import Timeline

#: attempts at a target, and how many are made at a time: clients that take turns at the processor are late, and the
#: shortest of some handshakes shows the network
FEW, ABREAST = 5, 2


def kind_of(name: str) -> ModuleType:
    """Which comparison fits a scenario; each has `compare`, `agree`, `table`, `summary` and `figure`."""
    found: object = find(name)
    if isinstance(found, Timeline):
        return timelines
    return goodputs if isinstance(found, Scenario) and found.kind is Kind.THROUGHPUT else handshakes


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "scenario", nargs="?", default="sni-filtering", choices=SCENARIOS, help="(default: %(default)s)"
    )
    parser.add_argument("--attempts", type=int, help=f"(default: the scenario's own; {FEW} for attempts at targets)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--emulated", type=Path, metavar="RUN", help="a run folder to compare with")
    parser.add_argument("--out", type=Path, default=Path("runs/agreement"), help="(default: %(default)s)")
    options = parser.parse_args()
    how = kind_of(options.scenario)
    attempts = options.attempts or (FEW if how is handshakes else None)
    words = ["run", options.scenario, "--seed", str(options.seed)]
    words += ["--attempts", str(attempts)] if attempts else []
    words += ["--set", f"parallel={ABREAST}"] if how is handshakes else []
    emulated = options.emulated or options.out / "emulate"
    for backend, folder in (("emulate", emulated), ("simulate", options.out / "simulate")):
        if not (folder / "manifest.json").exists() and penstock([*words, "--backend", backend, "--out", str(folder)]):
            return 3
    pairs = how.compare(emulated, options.out / "simulate")
    (options.out / "agreement.md").write_text(f"{how.summary(pairs)}\n\n{how.table(pairs)}")
    how.figure(pairs, options.out / "agreement.svg")
    print(how.table(pairs))
    print(how.summary(pairs))
    return 0 if how.agree(pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
