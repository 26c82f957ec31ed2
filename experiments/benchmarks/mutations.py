"""Throw mutated packets at the censor: it must not raise, and its memory must not grow.

`python -m experiments.benchmarks.mutations [--packets 10000000] [--captures FILE ...] [--processes 2]`

The seeds are packets of real conversations (handshakes, recorded ClientHellos, HTTP, DNS, fragments, both IP
versions), and of any captures that are named. Each is damaged in a few bytes, cut, lengthened or glued to another, and
given to three boxes that differ in what they are able to do, under rules with every kind of match and action.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from middlebox import Censor, Policy
from middlebox.drivers.capture import read_packets

POLICIES = Path(__file__).parent / "mutations"
#: packets between two looks at the memory
STEP = 50_000


def seeds(captures: list[Path]) -> list[bytes]:
    """The packets that are damaged."""
    from experiments.benchmarks.conversations import packets

    found = list(packets())
    for path in captures:
        found += [captured.ip for captured in read_packets(path) if captured.ip is not None]
    return found


def mutations(originals: list[bytes], count: int, chance: random.Random) -> Iterator[bytes]:
    """Damaged packets without end of variety: flipped bytes, cut ends, wrong lengths, glued halves."""
    for _ in range(count):
        packet = bytearray(chance.choice(originals))
        kind = chance.random()
        if kind < 0.70:
            for _ in range(chance.choice((1, 1, 2, 4, 16))):
                reach = min(len(packet), chance.choice((40, 120, len(packet))))  # headers more often than payload
                packet[chance.randrange(reach)] = chance.randrange(256)
        elif kind < 0.80:
            del packet[chance.randrange(len(packet)) :]
        elif kind < 0.88:
            packet += chance.randbytes(chance.randrange(64))
        elif kind < 0.94:
            other = chance.choice(originals)
            packet[chance.randrange(len(packet)) :] = other[chance.randrange(len(other)) :]
        yield bytes(packet)


def memory_kb() -> int:
    """Resident memory now, in kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


Attacked = tuple[str, int, float, list[int], dict[str, int]]


def attack(originals: list[bytes], policy: Path, count: int, seed: int) -> Attacked:
    """Give one censor `count` packets; return who it was, how many, seconds, memory in kB along the way, counters."""
    chance = random.Random(seed)
    censor = Censor(Policy.load(policy), seed=seed)
    now_ns = 1_700_000_000_000_000_000
    memory = []
    start = time.perf_counter()
    for number, packet in enumerate(mutations(originals, count, chance)):
        now_ns += chance.randrange(2_000_000)
        decision = censor.decide(packet, now_ns)
        assert decision.number == number
        if number % 64 == 0:
            censor.due(now_ns)
        if number % STEP == 0:
            memory.append(memory_kb())
    return policy.stem, count, time.perf_counter() - start, memory, censor.counters()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--packets", type=int, default=200_000, help="how many (default: %(default)s)")
    parser.add_argument("--captures", type=Path, nargs="*", default=[], help="more packets to damage")
    parser.add_argument("--processes", type=int, default=2, help="side by side (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    options = parser.parse_args()
    originals = seeds(options.captures)
    policies = sorted(POLICIES.glob("*.yaml"))
    share = options.packets // len(policies)
    print(f"{len(originals)} original packets, {share * len(policies)} mutations, {len(policies)} boxes")
    worst = 0.0
    with ProcessPoolExecutor(options.processes) as pool:
        runs = [
            pool.submit(attack, originals, policy, share, options.seed + index) for index, policy in enumerate(policies)
        ]
        for run in runs:
            name, count, seconds, memory, counters = run.result()
            settled = memory[len(memory) // 2 :]
            growth = (settled[-1] - settled[0]) / settled[0]
            worst = max(worst, growth)
            first, middle, last = (kb // 1024 for kb in (memory[0], settled[0], memory[-1]))
            print(f"{name:<12}{count:>10} packets, no exception, {count / seconds:>8.0f} a second")
            print(f"{'':<12}memory {first} MB at first, {middle} MB half-way, {last} MB at the end ({growth:+.1%})")
            print(f"{'':<12}{counters}")
    print(f"memory over the second half grew by {worst:+.1%} at most")
    return 0 if worst < 0.05 else 1


if __name__ == "__main__":
    sys.exit(main())
