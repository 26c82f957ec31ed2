"""How exactly a policer and a shaper hold their rate, and what each does to loss and round trips.

    python -m experiments.benchmarks.throttle_grid [--rates 64000 1000000 ...] [--seconds 20] [--out DIR]

Real TCP connections through the box of a lab, 20 ms away from their server: each rate, each congestion control, one
flow and ten that share the rate. What counts is what comes out of the box: all IP packets of the data that reach the
client from the third second on, over the rate. Goodput beside it is what of it is new: where a queue is longer than
TCP's timers, a part is sent twice. Loss is what the box says that it dropped. A policer shows loss and no longer round
trips; a shaper the reverse. Slow cells run side by side and for longer, fast ones alone, and before each rate the
control: the same transfer where no rule is. Exit status 1 if a cell is off by more than 3 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas

from experiments.benchmarks.throttle_ends import CLIENT, SERVER
from middlebox.grammar.rates import rate_text
from middlebox.policy import Policy
from testbed.lab import Lab
from testbed.topology import Way, national

#: bits a second: from a throttled messenger to a fast line
RATES = (64_000, 256_000, 1_000_000, 4_000_000, 16_000_000, 50_000_000)
CONTROLS = ("cubic", "bbr", "reno")
FLOWS = (1, 10)
KINDS = ("police", "shape")
#: seconds that are not counted: the bucket's first burst, slow start
WARM_UP_S = 3.0
#: how far a cell may be off
TOLERANCE = 0.03
#: packets that a cell counts at least: one more or less is then little
_LEAST_PACKETS = 500
#: bits a second that cells together may have on their way at a time
_TOGETHER = 12_000_000
#: the control's: too much for any other beside it
_ALONE = 1_000_000_000
#: bytes that a shaper's queue holds for each flow: more than a sender may have on its way (the kernel's tcp_wmem)
_QUEUE = 5_000_000
_FIRST_PORT = 7_000
#: times that the servers are looked at, 0.05 s apart, before it is given up
_PATIENCE = 400
#: bytes of an IP packet, and of the payload in it with TCP's usual options
_PACKET, _PAYLOAD = 1_500, 1_448


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination; `kind` "" is the control, and its `rate` nothing's."""

    kind: str
    rate: int
    control: str
    flows: int
    port: int

    @property
    def rule(self) -> str:
        """Its line of the policy; "" for the control."""
        if not self.kind:
            return ""
        per = "flow" if self.flows == 1 else "class"
        more = f", queue: {_QUEUE * self.flows} B" if self.kind == "shape" else ""
        words = f"{self.kind}: {{rate: {self.rate} bit/s, per: {per}, direction: to-client{more}}}"
        return f"  - {{name: r{self.port}, match: {{server.port: {self.port}}}, action: {{{words}}}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one cell did."""

    cell: Cell
    share: float  #: of the rate, all IP packets that came
    goodput: float  #: of the rate, those of them that brought something new
    rtt_ms: float  #: smoothed round trip of the server's connections, median over the counted time
    base_ms: float  #: the least round trip
    lost: float  #: share of packets that the box dropped
    again: float  #: share of segments that were sent again


def cells(rates: list[int]) -> Iterator[Cell]:
    port = _FIRST_PORT
    ways = [(control, flows) for flows in FLOWS for control in CONTROLS]
    for number, rate in enumerate(rates):
        control, flows = ways[number % len(ways)]
        yield Cell(kind="", rate=_ALONE, control=control, flows=flows, port=port)
        port += 1
        for kind in KINDS:
            for control in CONTROLS:
                for flows in FLOWS:
                    yield Cell(kind=kind, rate=rate, control=control, flows=flows, port=port)
                    port += 1


def batches(all_cells: list[Cell]) -> Iterator[list[Cell]]:
    """Cells that may run side by side."""
    batch: list[Cell] = []
    for cell in all_cells:
        if batch and sum(one.rate for one in batch) + cell.rate > _TOGETHER:
            yield batch
            batch = []
        batch.append(cell)
    if batch:
        yield batch


def seconds_of(cell: Cell, seconds: float) -> float:
    """How long a cell is counted."""
    return max(seconds, _LEAST_PACKETS * _PACKET * 8 / cell.rate)


def measure(lab: Lab, cell: Cell, seconds: float) -> tuple[int, int, float]:
    """Segments that came in the counted time, the payload of those that were new, and that time in seconds."""
    words = [sys.executable, "-I", "-c", CLIENT, lab.host("web").ipv4, str(cell.port), str(cell.flows)]
    done = lab.client.run([*words, str(WARM_UP_S), str(seconds)], timeout=WARM_UP_S + seconds + 60)
    if done.status:
        raise RuntimeError(f"the client of port {cell.port} failed: {done.stderr[-300:]}")
    said = json.loads(done.stdout)
    if said is None:
        raise RuntimeError(f"nothing came to the client of port {cell.port} in {seconds:g} s")
    (first_s, segments, new), (last_s, all_segments, all_new) = said
    return all_segments - segments, all_new - new, last_s - first_s


def judged(
    cell: Cell, counted: tuple[int, int, float], told: list[list[list[float]]], lost: tuple[int, int]
) -> Measured:
    """The figures of a cell.

    `told`: for each of its connections what the server's kernel said; `lost`: packets that the box dropped, of how
    many.
    """
    segments, new, took = counted
    samples = [sample for one in told for sample in one if sample[0] >= WARM_UP_S]
    ends = [(one[0], one[-1]) for one in told if len(one) > 1]
    sent = sum(last[3] - first[3] for first, last in ends)
    times = sorted(sample[1] for sample in samples) or [0.0]
    as_share = 8 / max(took, 1e-9) / cell.rate
    return Measured(
        cell=cell,
        share=segments * _PACKET * as_share,
        goodput=new * _PACKET / _PAYLOAD * as_share,
        rtt_ms=times[len(times) // 2] / 1000,
        base_ms=min((sample[4] for sample in samples), default=0.0) / 1000,
        lost=lost[0] / max(lost[1], 1),
        again=sum(last[2] - first[2] for first, last in ends) / sent if sent else 0.0,
    )


def lost_of(cell: Cell, stats: dict[str, Any], came: int) -> tuple[int, int]:
    """Packets that the box dropped by a cell's rule, of those that it dropped or let by; `came`: at the client."""
    rule = f"r{cell.port}"
    dropped = stats.get("counters", {}).get(f"lost:{rule}", 0)
    dropped += stats.get("kernel", {}).get(rule, {}).get("dropped", {}).get("packets", 0)
    return dropped, dropped + came


def told_by(said: Path) -> dict[int, list[list[list[float]]]]:
    """What the servers have said of their connections that are over, by port."""
    told: dict[int, list[list[list[float]]]] = {}
    for line in said.read_text().splitlines():
        if line.startswith("["):
            port, samples = json.loads(line)
            told.setdefault(port, []).append(samples)
    return told


def run(rates: list[int], seconds: float) -> tuple[list[Measured], dict[str, object]]:
    every = list(cells(rates))
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "grid.yaml"
    path.write_text("name: grid\nrules:\n" + "\n".join(filter(None, (one.rule for one in every))) + "\n")
    topology = national(name="grid", subscribers=1, access=("direct",), transit=0, abroad=Way(delay=0.010), relay=False)
    said = Path(folder.name) / "server.log"
    found: list[Measured] = []
    with folder, Lab(Policy.load(path), topology, congestion="reno") as lab, said.open("wb") as log:
        ports = [f"{cell.port}:{cell.control}" for cell in every]
        words = [sys.executable, "-I", "-c", SERVER, *ports]
        # it ends with whoever forgets it
        servers = lab.host("web").start(words, stdout=log.fileno(), stderr=log.fileno())
        for _ in range(_PATIENCE):
            if b"ready" in said.read_bytes():
                break
            lab.client.run(["sleep", "0.05"])
        else:
            raise SystemExit(f"the servers did not start: {said.read_text()[-300:] or 'they said nothing'}")
        for batch in batches(every):
            with ThreadPoolExecutor(len(batch)) as pool:
                counts = list(pool.map(lambda cell: measure(lab, cell, seconds_of(cell, seconds)), batch))
            lab.client.run(["sleep", "1"])
            told, stats = told_by(said), dict(lab.box_stats() or {})
            for cell, counted in zip(batch, counts, strict=True):
                found.append(judged(cell, counted, told.get(cell.port, []), lost_of(cell, stats, counted[0])))
                print(line_of(found[-1]), flush=True)
        facts = lab.facts()
        stats = lab.box_stats() or {}
        servers.close()
    return found, {"facts": facts, "queue_drops": stats.get("queue_drops"), "data_plane": stats.get("data_plane")}


def is_off(one: Measured) -> bool:
    return bool(one.cell.kind) and abs(one.share - 1) > TOLERANCE


def line_of(one: Measured) -> str:
    cell = one.cell
    if cell.kind:
        rate = f"{cell.kind:<8}{rate_text(cell.rate // 8):>12}"
        held = f"{one.share:6.3f} of the rate (new: {one.goodput:.3f})"
    else:
        rate, held = f"{'control':<20}", f"{one.share * cell.rate / 1e6:,.0f} Mbit/s".ljust(32)
    return (
        f"{rate}  {cell.control:<6}{cell.flows:>3} flows  {held}  round trip {one.rtt_ms:8.1f} ms "
        f"(least {one.base_ms:.1f})  lost {one.lost:6.2%}  sent again {one.again:6.2%}{'  OFF' if is_off(one) else ''}"
    )


def figure(found: list[Measured], path: Path) -> None:
    """The share of the rate by rate, and loss against the growth of round trips."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = drawn.subplots(1, 2)
    for kind, name, shape, colour in (("police", "policer", "o", "#D55E00"), ("shape", "shaper", "s", "#0072B2")):
        here = [one for one in found if one.cell.kind == kind]
        left.plot([one.cell.rate / 1e6 for one in here], [one.share for one in here], shape, color=colour, alpha=0.6)
        growth = [one.rtt_ms / max(one.base_ms, 1e-3) for one in here]
        right.plot(growth, [100 * one.lost for one in here], shape, color=colour, alpha=0.6, label=name)
    left.axhspan(1 - TOLERANCE, 1 + TOLERANCE, color="#dddddd")
    left.set(xscale="log", xlabel="rate, Mbit/s", ylabel="what came as IP packets, over the rate")
    right.set(xscale="log", xlabel="round trip under load, over the least", ylabel="packets lost, %")
    right.legend(frameon=False)
    drawn.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rates", nargs="+", type=int, default=list(RATES), help="bit/s (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="counted time of a cell (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for grid.csv and grid.svg (default: none)")
    options = parser.parse_args()
    found, about = run(options.rates, options.seconds)
    off, ruled = [one for one in found if is_off(one)], [one for one in found if one.cell.kind]
    print(f"{len(ruled)} cells, {len(off)} off by more than {TOLERANCE:.0%}; {json.dumps(about)}")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        rows = [asdict(one.cell) | {key: value for key, value in asdict(one).items() if key != "cell"} for one in found]
        pandas.DataFrame(rows).to_csv(options.out / "grid.csv", index=False)
        figure(found, options.out / "grid.svg")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
