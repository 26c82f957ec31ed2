"""How fast virtual time runs: simulated seconds, packets and pages for each second of one core.

    python -m experiments.benchmarks.virtual_time [--repeat 5]

A download policed at 150 kbit/s for 120 s: by the server's name, as real policies tell it, so that the box need not see
the acknowledgements; and by its port, which is asked at every packet. A download without a box at 10 Mbit/s. Pages over
HTTPS past a box that resets others. Processor time, the best of some repeats: the machine is shared.

And a matrix of 500 cells by `penstock sweep`, on all cores: a download of 14 s at most, policed at five rates, with its
control and an innocent target, and a hundred seeds. Seconds of the wall clock, its start included; once.

Exit status 1 if a bar was missed: 1,000 simulated seconds at 150 kbit/s for a second of a core; the matrix in a minute.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from simpy.events import Event

from middlebox.policy import Policy
from testbed.simulate.host import Host
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.network import Network
from testbed.topology import Topology, Way, national

PORT = 443
#: simulated seconds of download for each second of a core that a sweep needs (issue: virtual time)
BAR = 1_000
#: seconds for the matrix on two cores
MATRIX_S = 60
SECONDS = 120.0


def policer(match: str) -> Policy:
    """150 kbit/s toward the client."""
    action = "police: {rate: 150 kbit/s, burst: 32 kB, per: flow, direction: to-client}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policer.yaml"
        path.write_text(f"name: policer\nrules:\n  - {{name: all, match: {{{match}}}, action: {{{action}}}}}\n")
        return Policy.load(path)


def line(delay: float, rate: float | None = None) -> Topology:
    way = Way(delay=delay)
    made = national(name="line", subscribers=1, access=("direct",), transit=0, abroad=way, relay=False)
    if rate is None:
        return made
    first = replace(made.links[0], to_a=Way(rate=rate))
    return replace(made, links=(first, *made.links[1:]))


def hello() -> bytes:
    """What a client says first: a ClientHello that names `blocked.example`."""
    said: list[bytes] = []
    lab = SimulatedLab(topology="small")
    lab.client.outgoing = lambda raw: said.append(raw) or [raw]  # type: ignore[func-returns-value]
    lab.run(lab.browser.fetch("blocked.example"))
    return next(raw[52:] for raw in said if raw[52:55] == b"\x16\x03\x01")


def download(network: Network, first: bytes) -> Generator[Event, Any, None]:
    """Receive for ever."""
    client, server = Host(network, "client"), Host(network, "web")
    chunk = bytes(128 << 10)

    def serve(connection: Any) -> Generator[Event, Any, None]:  # noqa: ANN401
        yield from connection.receive()
        while True:
            yield from connection.send(chunk)

    server.listen(PORT, serve)
    connection = yield from client.connect(server.ipv4, PORT)
    yield from connection.send(first)
    while True:
        yield from connection.receive()


def policed(match: str, first: bytes) -> tuple[float, str]:
    network = Network(line(0.02), seed=1)
    network.install("box", policer(match))
    network.clock.process(download(network, first))
    network.clock.run_for(SECONDS)
    return SECONDS, "simulated s"


def free(first: bytes) -> tuple[float, str]:
    network = Network(line(0.02, 10e6), seed=1)
    count = 0

    def counted(receive: Callable[..., None]) -> Callable[..., None]:
        def one(packet: object) -> None:
            nonlocal count
            count += 1
            receive(packet)

        return one

    network.clock.process(download(network, first))
    network.clock.run_for(0.001)
    network._receivers = {name: counted(receive) for name, receive in network._receivers.items()}
    network.clock.run_for(10)
    return count, "packets"


def pages(count: int = 100) -> tuple[float, str]:
    lab = SimulatedLab("gfw-like", seed=1)
    addresses = lab.addresses("client")

    def visits() -> Generator[Event, Any, None]:
        for _ in range(count):
            yield from lab.browser.fetch("innocent.example", "/page", source=addresses.fresh())

    lab.run(visits())
    return count, "pages"


def matrix() -> float:
    """Seconds that the matrix took."""
    rates = "rules.0.action.police.rate=64 kbit/s,128 kbit/s,256 kbit/s,512 kbit/s,1 Mbit/s"
    varied = ["--set", "attempts=1", "--set", rates, "--seeds", "1-100"]
    cell = ["--policy", "throttle-police", "--workload", "download", "--tool", "none"]
    words = ["sweep", "throttling", "--backend", "simulate", *cell, *varied]
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        command = [sys.executable, "-m", "testbed.cli", *words, "--out", f"{folder}/sweep"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.monotonic() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="of which the best counts (default: %(default)s)")
    options = parser.parse_args()
    first = hello()
    cases: dict[str, Callable[[], tuple[float, str]]] = {
        "policed by name": lambda: policed("tls.sni: {under: blocked.example}", first),
        "policed by port": lambda: policed(f"server.port: {PORT}", first),
        "download, no box": lambda: free(first),
        "pages past a box": pages,
    }
    speeds = {}
    for name, case in cases.items():
        best = float("inf")
        for _ in range(options.repeat):
            begin = time.process_time()
            done, unit = case()
            best = min(best, time.process_time() - begin)
        speeds[name] = done / best
        print(f"{name:<18} {speeds[name]:10.0f} {unit} for each second of a core", flush=True)
    seconds = matrix()
    print(f"{'500 cells':<18} {seconds:10.0f} s on {os.cpu_count()} cores")
    return 0 if speeds["policed by name"] >= BAR and seconds < MATRIX_S else 1


if __name__ == "__main__":
    sys.exit(main())
