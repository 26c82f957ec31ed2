"""How many packets a second the engine decides, offline, on one core, and how much memory it takes.

`python -m experiments.benchmarks.engine [--repeats 5] [--scale 1.0] [--only NAME ...]`

Four kinds of traffic, generated, a hundred flows side by side. Long flows: 10,000 with a ClientHello and 200 data
packets. Short flows: 200,000 of 6 packets. A mix: TLS, HTTP, DNS and QUIC, whose names are all asked for. A million
flows, of which a box may remember a fifth: memory and time for a packet must stay the same. They are run in turn,
repeatedly, each time in a process of its own; the median is told. Only the engine's own time counts, not the
generator's; memory is that of the whole process, with the interpreter.

Exit status 1 if a bar was missed: 200,000 packets a second as plain Python, 1,000,000 compiled, less than 200 MB.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import statistics
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from experiments.benchmarks.hellos import flights, hello
from middlebox import Censor, Policy, compiled
from middlebox.forge import tcp, udp
from middlebox.packet import ACK, PSH, SYN

#: packets a second, as plain Python and compiled, and MB of the whole process
BARS = (200_000, 1_000_000)
MEMORY_MB = 200
#: a packet of the last quarter of a million flows may cost so much more than one of the second
DRIFT = 1.25

CLIENT = bytes(4)
SERVER = bytes((203, 0, 113, 5))
RESOLVER = bytes((198, 51, 100, 53))
DATA = b"d" * 1_000
GET = b"GET / HTTP/1.1\r\nHost: innocent.example\r\nUser-Agent: test\r\n\r\n"
QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08innocent\x07example\x00\x00\x01\x00\x01"
#: flows side by side
ABREAST = 100

#: a packet, and whether the client sends it. Its checksum is that of another client: this box does not look at it
Packet = tuple[bytes, bool]


def connection(said: bytes, port: int, more: int) -> list[Packet]:
    """Handshake, what the client says, `more` packets of the server."""
    made = [
        (tcp(src=CLIENT, dst=SERVER, sport=1, dport=port, seq=1000, ack=0, flags=SYN), True),
        (tcp(src=SERVER, dst=CLIENT, sport=port, dport=1, seq=9000, ack=1001, flags=SYN | ACK), False),
        (tcp(src=CLIENT, dst=SERVER, sport=1, dport=port, seq=1001, ack=9001, flags=ACK), True),
    ]
    seq = 1001
    for at in range(0, len(said), 1_400):
        part = said[at : at + 1_400]
        one = tcp(src=CLIENT, dst=SERVER, sport=1, dport=port, seq=seq, ack=9001, flags=PSH | ACK, payload=part)
        made.append((one, True))
        seq += len(part)
    for number in range(9001, 9001 + more * len(DATA), len(DATA)):
        one = tcp(src=SERVER, dst=CLIENT, sport=port, dport=1, seq=number, ack=seq, flags=ACK, payload=DATA)
        made.append((one, False))
    return made


def query() -> list[Packet]:
    """A DNS query and its answer."""
    answer = QUERY[:2] + b"\x81\x80" + QUERY[4:]
    return [
        (udp(src=CLIENT, dst=RESOLVER, sport=1, dport=53, payload=QUERY), True),
        (udp(src=RESOLVER, dst=CLIENT, sport=53, dport=1, payload=answer), False),
    ]


def quic(flight: list[bytes]) -> list[Packet]:
    """A client's first flight, and ten packets that nobody can read."""
    made = [(udp(src=CLIENT, dst=SERVER, sport=1, dport=443, payload=data), True) for data in flight]
    return made + [(udp(src=SERVER, dst=CLIENT, sport=443, dport=1, payload=b"\x40" + DATA), False)] * 10


def side_by_side(kinds: list[list[Packet]], flows: int) -> Iterator[list[bytes]]:
    """The packets of so many flows, of these kinds in turn, in portions."""
    for first in range(0, flows, ABREAST):
        numbers = range(first, min(first + ABREAST, flows))
        # an address and a port that no other flow has
        ends = [struct.pack("!I", (10 << 24) + one // 50_000 + 1) for one in numbers]
        ports = [struct.pack("!H", 10_000 + one % 50_000) for one in numbers]
        made: list[bytes] = []
        for step in zip_longest(*(kinds[one % len(kinds)] for one in numbers)):
            for packet, address, port in zip(step, ends, ports, strict=True):
                if packet is None:
                    continue
                raw, up = packet
                if up:
                    made.append(raw[:12] + address + raw[16:20] + port + raw[22:])
                else:
                    made.append(raw[:16] + address + raw[20:22] + port + raw[24:])
        yield made


NAMES = str(Path(__file__).with_name("names.yaml"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One kind of traffic, and the policy that it meets."""

    name: str
    policy: str
    flows: int  #: at scale 1

    def kinds(self, clients: list[list[bytes]]) -> list[list[Packet]]:
        """The flows, one of each kind; `clients`: what QUIC clients say."""
        said = hello("innocent.example")
        if self.name != "mix":
            return [connection(said, 443, 200 if self.name == "long flows" else 2)]
        tls, http = connection(said, 443, 20), connection(GET, 80, 10)
        return [one for flight in clients for one in (tls, http, query(), quic(flight))]


ALL = (
    Workload(name="long flows", policy="sni-drop", flows=10_000),
    Workload(name="short flows", policy="sni-drop", flows=200_000),
    Workload(name="mix", policy=NAMES, flows=40_000),
    Workload(name="a million", policy="sni-drop", flows=1_000_000),
)


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a run."""

    packets: int
    seconds: float
    megabytes: float  #: of the whole process, at its end

    @property
    def rate(self) -> float:
        return self.packets / self.seconds


def run(one: Workload, scale: float, clients: list[list[bytes]]) -> list[Part]:
    """What a new censor took for each quarter of the traffic."""
    flows = max(4 * ABREAST, int(one.flows * scale))
    portions = list(range(0, flows, ABREAST))
    decide = Censor(Policy.load(one.policy), seed=1).decide
    now_ns = 1_700_000_000_000_000_000
    parts: list[Part] = []
    count, took = 0, 0.0
    for number, packets in enumerate(side_by_side(one.kinds(clients), flows), 1):
        start = time.process_time()  # of this process alone: the machine may be shared
        for packet in packets:
            now_ns += 1_000
            decide(packet, now_ns)
        took += time.process_time() - start
        count += len(packets)
        if number * 4 // len(portions) > len(parts):
            parts.append(Part(count, took, resident_mb()))
            count, took = 0, 0.0
    return parts


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many flows (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in ALL], help="(default: all)")
    options = parser.parse_args()
    chosen = [one for one in ALL if not options.only or one.name in options.only]
    runs: dict[str, list[list[Part]]] = {one.name: [] for one in chosen}
    # without garbage collection, as in the box process, which makes no cycles
    with multiprocessing.get_context("spawn").Pool(1, gc.disable, maxtasksperchild=1) as pool:
        clients = pool.apply(flights, ("innocent.example", 100))
        for _ in range(options.repeats):
            for one in chosen:
                runs[one.name].append(pool.apply(run, (one, options.scale, clients)))
    print(
        f"{'compiled' if compiled() else 'plain'} Python {sys.version.split()[0]}, "
        f"median of {options.repeats} interleaved runs; MB of the process after the second and the last quarter"
    )
    held = True
    for name, done in runs.items():
        rates = [sum(part.packets for part in parts) / sum(part.seconds for part in parts) for parts in done]
        median = statistics.median(rates)
        drift = statistics.median([parts[1].rate / parts[3].rate for parts in done])
        middle, last = (max(parts[quarter].megabytes for parts in done) for quarter in (1, 3))
        held = held and median >= BARS[compiled()] and last < MEMORY_MB
        if name == "a million":
            held = held and drift <= DRIFT and last <= middle * 1.05
        print(
            f"{name:<12} {sum(part.packets for part in done[0]):>9} packets  {median:>9.0f} a second "
            f"({min(rates):.0f} to {max(rates):.0f}), {middle:.0f} and {last:.0f} MB; a packet of the last quarter "
            f"cost {drift:.2f} times one of the second"
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
