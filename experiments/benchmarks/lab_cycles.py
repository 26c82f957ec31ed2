"""Build a lab of six nodes many times: how long it takes to be up and down, and whether anything stays behind.

    python -m experiments.benchmarks.lab_cycles [TIMES] [TOPOLOGY]

Asks the kernel what is left, not the lab. Exit status 1 if anything stayed.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import time
from pathlib import Path

from testbed.lab import Lab


def _spaces() -> dict[str, set[str]]:
    """Each process's namespaces."""
    found: dict[str, set[str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found[entry.name] = {os.readlink(entry / "ns" / kind) for kind in ("net", "mnt", "pid")}
    return found


def _of_lab(pid: int) -> set[str]:
    """The namespaces of a lab that stands below the process `pid`: those of all that share its process 1's."""
    (first,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    mine = {os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "mnt", "pid")}
    everyone = _spaces()
    pid_space = os.readlink(f"/proc/{first}/ns/pid")
    members = [spaces for spaces in everyone.values() if pid_space in spaces]
    return set().union(*members) - mine


def _count(labs: set[str]) -> dict[str, int]:
    """What there is of everything that a lab makes, seen from outside; `labs`: the namespaces of labs so far."""
    everyone: set[str] = set().union(*_spaces().values())
    return {
        "namespaces of labs": len(everyone & labs),
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "own children": len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
        "open files": len(os.listdir("/proc/self/fd")),
        "lab sockets": Path("/proc/net/unix").read_text().count(f"@penstock-{os.geteuid()}-{os.getpid()}"),
        "files in /run": len(os.listdir("/run")),
    }


def main(words: list[str]) -> int:
    times = int(words[0]) if words else 100
    topology = words[1] if len(words) > 1 else "small"
    ups, downs = [], []
    with Lab(topology=topology):
        pass  # what is loaded once is loaded now
    before, spaces = _count(set()), set[str]()
    for _ in range(times):
        begin = time.monotonic()
        lab = Lab(topology=topology).start()
        up = time.monotonic()
        answer = lab.client.run(["curl", "-sS", "http://blocked.example/"], timeout=10)
        if answer.status:
            raise SystemExit(f"the lab does not work: {answer.stderr}")
        spaces |= _of_lab(lab.pid)
        down = time.monotonic()
        lab.stop()
        downs.append(time.monotonic() - down)
        ups.append(up - begin)
        lab.close()
    after = _count(spaces)
    for name, values in (("up", ups), ("down", downs)):
        print(f"{name}: median {statistics.median(values):.3f} s, longest {max(values):.3f} s, of {times}")
    print(f"{len(spaces)} namespaces were made")
    for name, number in before.items():
        print(f"{name}: {number} before, {after[name]} after")
    return int(before != after)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
