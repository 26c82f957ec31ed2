"""All benchmarks, one after another: `python -m experiments.benchmarks [--quick] [--out DIR] [NAME ...]`.

Each compares with its control in turn, within one run. The folder gets what each one printed, a table of which bars
were held (`benchmarks.md`), and the figure of the throttle grid. Run it on a machine that does nothing else: on a busy
one even ratios drift. Exit status 1 if a bar was missed, 3 if a benchmark gave no result.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One of them; `words` are its arguments, `quick` those for a first look."""

    name: str
    module: str
    bar: str  #: what it must hold, in words
    words: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


ALL = (
    Benchmark(
        name="engine",
        module="engine",
        bar="200,000 packets a second as plain Python, 1,000,000 compiled, under 200 MB",
        quick=("--scale", "0.1", "--repeats", "2"),
    ),
    Benchmark(
        name="data-plane",
        module="data_plane",
        bar="bulk at least 0.95 of no box, new TLS connections at least 0.75, the kernel's policing within 3 %",
        quick=("--rounds", "2"),
    ),
    Benchmark(name="reset-race", module="reset_race", bar="every race won against a server 10 ms away", quick=("100",)),
    Benchmark(
        name="throttle-grid",
        module="throttle_grid",
        bar="every cell within 3 % of its rate",
        quick=("--rates", "256000", "4000000", "--seconds", "10"),
    ),
    Benchmark(name="lab-cycles", module="lab_cycles", bar="up in 2 s, down in 1 s, no residue", words=("100", "small"),
              quick=("10", "small")),
    Benchmark(
        name="mutations",
        module="mutations",
        bar="no exception, memory flat",
        words=("--packets", "10000000"),
        quick=("--packets", "50000"),
    ),
)  # fmt: skip

_HELD = {0: "held", 1: "**missed**"}


def run(one: Benchmark, *, quick: bool, out: Path) -> tuple[int, float]:
    """Run one, showing and keeping what it prints; its exit status, and the seconds that it took."""
    words = list(one.quick if quick else one.words)
    if one.name == "throttle-grid":
        words += ["--out", str(out)]
    begin = time.monotonic()
    with (out / f"{one.name}.txt").open("w") as kept:
        argv = [sys.executable, "-m", f"experiments.benchmarks.{one.module}", *words]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                kept.write(line)
    return process.returncode, time.monotonic() - begin


def page(results: list[tuple[Benchmark, int, float]], out: Path, load: tuple[float, float, float]) -> str:
    lines = [
        "# Benchmarks",
        "",
        f"{os.cpu_count()} cores, kernel {os.uname().release}, Python {sys.version.split()[0]}; load of the machine "
        f"before the first of them {load[0]:.1f}, {load[1]:.1f} and {load[2]:.1f} over 1, 5 and 15 minutes.",
        "",
        "| benchmark | bar | | s |",
        "|---|---|---|---|",
        *(
            f"| {one.name} | {one.bar} | {_HELD.get(status, 'no result')} | {took:.0f} |"
            for one, status, took in results
        ),
    ]
    for one, _, _ in results:
        lines += ["", f"## {one.name}", "", "```", (out / f"{one.name}.txt").read_text().strip(), "```"]
        if one.name == "throttle-grid" and (out / "grid.svg").exists():
            lines += ["", "![goodput over the rate, and loss against round trips](grid.svg)"]
    return "\n".join([*lines, ""])


def main() -> int:
    names = [one.name for one in ALL]
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small ones, to see that they run; bars may be missed")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"), help="(default: %(default)s)")
    options = parser.parse_args()
    for name in options.names:
        if name not in names:
            parser.error(f"no benchmark '{name}' (there are: {', '.join(names)})")
    options.out.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()
    results = []
    for one in ALL:
        if not options.names or one.name in options.names:
            print(f"== {one.name}: {one.bar}", flush=True)
            results.append((one, *run(one, quick=options.quick, out=options.out)))
    path = options.out / "benchmarks.md"
    path.write_text(page(results, options.out, load))
    print(f"table: {path}")
    worst = {status for _, status, _ in results}
    return 0 if worst <= {0} else 1 if worst <= {0, 1} else 3


if __name__ == "__main__":
    sys.exit(main())
