"""Whether two engines decide alike: the same conversations, whole and damaged, through both, row by row.

`python -m experiments.benchmarks.same_decisions [OTHER] [--packets 4000] [--seed 1] [--policies NAME ...]`

OTHER is a checkout of another commit; without it this one's plain Python is held against the same compiled
(`./setup --fast`). All that a decision says is compared with
what was seen and believed, what falls due later, and the counters; under every shipped policy, and three tight ones.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: policies beside the shipped ones: full tables, silence that forgets, other beliefs, slowings
TIGHT = {
    "few": "box: {limits: {flows: 5, residual: 3, fragments: 2}, tcp: {idle: 20 s, mid_stream: true}}",
    "alone": "box: {reassembly: {segments: false, overlap: last}, inspect: {directions: [to-server, to-client]}}",
    "strict": "box: {checksums: verify, minimum_ttl: 3, reassembly: {overlap: strict}, inspect: {packets: 3}}",
}
RULES = """
lists: {banned: [blocked.example]}
rules:
  - {name: sni, match: {tls.sni: {under: banned}}, action: {drop: flow}, memory: {for: 60 s, key: 3-tuple}}
  - {name: host, match: {http.host: {under: banned}}, action: log}
  - {name: dns, match: {dns.name: {under: banned}}, action: {drop: packet}}
  - {name: quic, match: {quic.sni: {under: banned}}, action: {drop: flow}}
  - {name: slow, match: {tls.sni: {under: [innocent.example]}}, action: {police: {rate: 8 kbit/s}}}
"""


def damaged(packets: list[bytes], count: int, seed: int) -> Iterator[tuple[int, bytes]]:
    """Times and packets: conversations side by side, repeated, out of order, cut and changed, with silences."""
    chance = random.Random(seed)
    now_ns = 1_700_000_000_000_000_000
    at = 0
    for _ in range(count):
        now_ns += chance.choice((0, 1_000, 1_000_000, 1_000_000, 300_000_000, 2_000_000_000))
        if chance.random() < 0.002:
            now_ns += chance.choice((30, 700)) * 1_000_000_000
        what = chance.random()
        if what < 0.15:
            at = chance.randrange(len(packets))
        packet = packets[at % len(packets)]
        at += 1
        if what > 0.97:
            changed = bytearray(packet)
            changed[chance.randrange(len(changed))] = chance.randrange(256)
            packet = bytes(changed)
        elif what > 0.95:
            packet = packet[: chance.randrange(len(packet) + 1)]
        yield now_ns, packet
        if what > 0.90:
            yield now_ns, packet


def decide(corpus: Path, name: str, out: Path) -> None:
    """What the engine that is imported here says, a line for each packet."""
    from middlebox import Censor, Policy
    from middlebox.load import load

    if name in TIGHT:
        path = corpus.with_name(f"{name}.yaml")
        path.write_text(f"name: {name}\nabout: to compare\n{TIGHT[name]}\n{RULES}", encoding="utf-8")
        policy = load(path)
    else:
        policy = Policy.load(name)
    words: list[str] = []

    def explain(number: int, flow: str, said: tuple[str, ...]) -> None:
        words.append(f"{flow} {said}")

    censors = [Censor(policy, seed=3), Censor(policy, seed=3, explain=explain)]
    data = corpus.read_bytes()
    with out.open("w", encoding="utf-8") as lines:
        at = 0
        while at < len(data):
            now_ns, size = struct.unpack_from("!QI", data, at)
            packet = data[at + 12 : at + 12 + size]
            at += 12 + size
            for censor in censors:
                one = censor.decide(packet, now_ns)
                rest = (one.injected, one.rewritten, one.release_ns, one.disposition.value, one.policed_by, one.revokes)
                due = censor.due(now_ns) if censor.next_due() else []
                print(one.row("box"), *rest, due, *words, file=lines)
                words.clear()
        for censor in censors:
            print(censor.counters(), file=lines)


def differing(ours: Path, theirs: Path) -> str:
    """The first line in which two files differ, or ""."""
    if hashlib.sha256(ours.read_bytes()).digest() == hashlib.sha256(theirs.read_bytes()).digest():
        return ""
    one, two = ours.read_text("utf-8").splitlines(), theirs.read_text("utf-8").splitlines()
    for number, (left, right) in enumerate(zip(one, two, strict=False)):
        if left != right:
            return f"line {number}:\n  here:  {left}\n  there: {right}"
    return f"{len(one)} lines here, {len(two)} there"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("other", type=Path, nargs="?", help="the root of the other checkout (default: this, compiled)")
    parser.add_argument("--packets", type=int, default=4_000, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--policies", nargs="*", help="(default: all)")
    options = parser.parse_args()
    from experiments.benchmarks.conversations import packets
    from middlebox import compiled

    if options.other is None and not compiled():
        parser.error("the engine is not compiled, or PENSTOCK_PLAIN is set: run ./setup --fast, or name a checkout")
    here = Path(__file__).resolve().parent.parent.parent
    profiles = sorted(path.stem for path in (here / "middlebox" / "profiles").glob("*.yaml"))
    names = options.policies or [*TIGHT, *profiles]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        with corpus.open("wb") as out:
            for now_ns, packet in damaged(list(packets()), options.packets, options.seed):
                out.write(struct.pack("!QI", now_ns, len(packet)) + packet)
        for name in names:
            running: list[tuple[Path, subprocess.Popen[bytes]]] = []
            for root, plain in ((here, not options.other), ((options.other or here).resolve(), False)):
                out_path = Path(folder) / f"{name}-{len(running)}"
                code = f"import runpy, pathlib as p; m = runpy.run_path({str(Path(__file__).resolve())!r}); "
                code += f"m['decide'](p.Path({str(corpus)!r}), {name!r}, p.Path({str(out_path)!r}))"
                env = os.environ | {"PYTHONPATH": str(root), "PYTHONHASHSEED": "0"}
                env |= {"PENSTOCK_PLAIN": "1"} if plain else {}
                running.append((out_path, subprocess.Popen([sys.executable, "-P", "-c", code], env=env, cwd=root)))
            if any(process.wait() for _, process in running):
                print(f"{name}: an engine failed")
                failed += 1
                continue
            difference = differing(running[0][0], running[1][0])
            failed += bool(difference)
            print(f"{name}: {difference or 'the same'}", flush=True)
    print(f"{len(names) - failed} of {len(names)} policies decide alike")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
