"""How exactly a policer and a shaper hold their rate, and what each does to loss and round trips.

    python -m experiments.benchmarks.throttle_grid [--rates 64k 1M ...] [--seconds 20] [--out DIR]

Real TCP connections through the box of a lab, 20 ms away from their server: each rate, each congestion control, one
flow and ten that share the rate. Goodput counts from the third second on, as IP packets, over the rate. A policer
shows loss and no longer round trips; a shaper the reverse. The control is the same transfer at a port without a rule.
Slow cells run side by side, fast ones alone. Exit status 1 if a cell is off by more than 3 %.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

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
#: bits a second that cells together may have on their way at a time
_TOGETHER = 12_000_000
_FIRST_PORT = 7_000
#: times that the servers are looked at, 0.05 s apart, before it is given up
_PATIENCE = 400
#: bytes of an IP packet, and of the payload in it with TCP's usual options
_PACKET, _PAYLOAD = 1_500, 1_448

SERVER = """
import json, socket, struct, sys, threading, time
def serve(connected):
    info, sent = [], b"d" * 65536
    connected.settimeout(0.25)
    begin = last = time.monotonic()
    try:
        while True:
            try:
                connected.send(sent)
            except TimeoutError:
                pass
            now = time.monotonic()
            if now - last > 0.25:
                last = now
                raw = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                rtt, = struct.unpack_from("I", raw, 68)
                again, = struct.unpack_from("I", raw, 100)
                segments, = struct.unpack_from("I", raw, 136)
                least, = struct.unpack_from("I", raw, 148)
                info.append((now - begin, rtt, again, segments, least))
    except OSError:
        pass
    with lock:
        print(json.dumps([connected.getsockname()[1], info]), flush=True)
    connected.close()
def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
lock = threading.Lock()
for word in sys.argv[1:]:
    port, control = word.split(":")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
    listener.bind(("0.0.0.0", int(port)))
    listener.listen(64)
    threading.Thread(target=accept, args=(listener,)).start()
print("ready", flush=True)
"""

CLIENT = """
import json, selectors, socket, sys, time
address, port, flows, (warm_up, seconds) = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), map(float, sys.argv[4:])
selector = selectors.DefaultSelector()
for _ in range(flows):
    one = socket.create_connection((address, port), 20)
    one.setblocking(False)
    selector.register(one, selectors.EVENT_READ)
begin = time.monotonic()
count, first_s, last_s = 0, None, None
while (now := time.monotonic() - begin) < warm_up + seconds:
    for key, _ in selector.select(0.1):
        size = len(key.fileobj.recv(1 << 20))
        at = time.monotonic() - begin
        if at >= warm_up:
            if first_s is None:
                first_s = at  # counted from here: what this packet carried came before it
            else:
                count += size
                last_s = at
print(json.dumps([count, (last_s or 0) - (first_s or 0)]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination; `kind` "" is the control."""

    kind: str
    rate: int
    control: str
    flows: int
    port: int

    @property
    def rule(self) -> str:
        per = "flow" if self.flows == 1 else "class"
        more = ", queue: 1 MB" if self.kind == "shape" else ""
        words = f"{self.kind}: {{rate: {self.rate} bit/s, per: {per}, direction: to-client{more}}}"
        return f"  - {{name: r{self.port}, match: {{server.port: {self.port}}}, action: {{{words}}}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one cell did."""

    cell: Cell
    share: float  #: of the rate, as IP packets
    rtt_ms: float  #: smoothed round trip of the server's connections, median over the counted time
    base_ms: float  #: the least round trip
    again: float  #: share of segments that were sent again


def cells(rates: list[int]) -> Iterator[Cell]:
    port = _FIRST_PORT
    for rate in rates:
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


def measure(lab: Lab, cell: Cell, seconds: float) -> tuple[int, float]:
    """Bytes of payload that came in the counted time, and that time in seconds."""
    client = lab.client
    words = [sys.executable, "-I", "-c", CLIENT, lab.host("web").ipv4, str(cell.port), str(cell.flows)]
    done = client.run([*words, str(WARM_UP_S), str(seconds)], timeout=seconds + 60)
    if done.status:
        raise RuntimeError(f"the client of port {cell.port} failed: {done.stderr[-300:]}")
    count, took = json.loads(done.stdout)
    return count, took


def judged(cell: Cell, count: int, took: float, told: list[list[list[float]]]) -> Measured:
    """The figures of a cell; `told`: for each of its connections what the server's kernel said."""
    counted = [sample for samples in told for sample in samples if sample[0] >= WARM_UP_S]
    ends = [(samples[0], samples[-1]) for samples in told if len(samples) > 1]
    sent = sum(last[3] - first[3] for first, last in ends)
    times = sorted(sample[1] for sample in counted) or [0.0]
    return Measured(
        cell=cell,
        share=count * 8 / max(took, 1e-9) * _PACKET / _PAYLOAD / cell.rate,
        rtt_ms=times[len(times) // 2] / 1000,
        base_ms=min((sample[4] for sample in counted), default=0.0) / 1000,
        again=sum(last[2] - first[2] for first, last in ends) / sent if sent else 0.0,
    )


def run(rates: list[int], seconds: float) -> tuple[list[Measured], dict[str, object]]:
    every = list(cells(rates))
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "grid.yaml"
    path.write_text("name: grid\nrules:\n" + "\n".join(cell.rule for cell in every) + "\n")
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
                counts = list(pool.map(lambda cell: measure(lab, cell, seconds), batch))
            lab.client.run(["sleep", "1"])
            told: dict[int, list[list[list[float]]]] = {}
            for line in said.read_text().splitlines():
                if line.startswith("["):
                    port, samples = json.loads(line)
                    told.setdefault(port, []).append(samples)
            for cell, (count, took) in zip(batch, counts, strict=True):
                found.append(judged(cell, count, took, told.get(cell.port, [])))
                print(line_of(found[-1]), flush=True)
        facts = lab.facts()
        stats = lab.box_stats() or {}
        servers.close()
    return found, {"facts": facts, "queue_drops": stats.get("queue_drops"), "data_plane": stats.get("data_plane")}


def line_of(one: Measured) -> str:
    cell = one.cell
    off = "  OFF" if abs(one.share - 1) > TOLERANCE else ""
    return (
        f"{cell.kind:<7}{rate_text(cell.rate // 8):>12}  {cell.control:<6}{cell.flows:>3} flows  "
        f"{one.share:6.3f} of the rate  round trip {one.rtt_ms:8.1f} ms (least {one.base_ms:.1f})  "
        f"sent again {one.again:6.2%}{off}"
    )


def figure(found: list[Measured], path: Path) -> None:
    """The share of the rate by rate, and loss against the growth of round trips."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = drawn.subplots(1, 2)
    for kind, shape, colour in (("police", "o", "#D55E00"), ("shape", "s", "#0072B2")):
        here = [one for one in found if one.cell.kind == kind]
        left.plot([one.cell.rate / 1e6 for one in here], [one.share for one in here], shape, color=colour, alpha=0.6)
        growth = [one.rtt_ms / max(one.base_ms, 1e-3) for one in here]
        right.plot(growth, [100 * one.again for one in here], shape, color=colour, alpha=0.6)
    left.axhspan(1 - TOLERANCE, 1 + TOLERANCE, color="#dddddd")
    left.set(xscale="log", xlabel="rate, Mbit/s", ylabel="goodput as IP packets, over the rate")
    right.set(xscale="log", xlabel="round trip under load, over the least", ylabel="segments sent again, %")
    right.legend(["policer", "shaper"], frameon=False)
    drawn.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rates", nargs="+", type=int, default=list(RATES), help="bit/s (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="counted time of a cell (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for grid.csv and grid.svg (default: none)")
    options = parser.parse_args()
    found, about = run(options.rates, options.seconds)
    off = [one for one in found if abs(one.share - 1) > TOLERANCE]
    print(f"{len(found)} cells, {len(off)} off by more than {TOLERANCE:.0%}; {json.dumps(about)}")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        with (options.out / "grid.csv").open("w", newline="") as file:
            rows = [
                asdict(one.cell)
                | {"share": one.share, "rtt_ms": one.rtt_ms, "base_ms": one.base_ms, "again": one.again}
                for one in found
            ]
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        figure(found, options.out / "grid.svg")
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
