"""How many packets a second the engine decides, offline, on one core.

`python -m experiments.benchmarks.engine [--policy sni-drop] [--repeats 5] [--scale 1.0]`

Three kinds of traffic, generated: long flows (a ClientHello and 200 data packets), short flows (6 packets), and a mix
with DNS and HTTP. They are timed in turn, repeatedly; the median is told, with the memory that the flows took.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from experiments.benchmarks.conversations import hello
from middlebox import Censor, Policy
from middlebox.forge import tcp, udp
from middlebox.packet import ACK, PSH, SYN

SERVER = bytes((203, 0, 113, 5))
RESOLVER = bytes((198, 51, 100, 53))
DATA = b"d" * 1_000
GET = b"GET / HTTP/1.1\r\nHost: innocent.example\r\nUser-Agent: test\r\n\r\n"
QUERY = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x08innocent\x07example\x00\x00\x01\x00\x01"


def _client(number: int) -> tuple[bytes, int]:
    """An address and a port that no other flow has."""
    return struct.pack("!I", (10 << 24) + number // 50_000 + 1), 10_000 + number % 50_000


def connection(number: int, said: bytes, port: int, more: int) -> Iterator[bytes]:
    """Handshake, what the client says, the answer's first packet, `more` further packets of the server."""
    src, sport = _client(number)
    yield tcp(src=src, dst=SERVER, sport=sport, dport=port, seq=1000, ack=0, flags=SYN)
    yield tcp(src=SERVER, dst=src, sport=port, dport=sport, seq=9000, ack=1001, flags=SYN | ACK)
    yield tcp(src=src, dst=SERVER, sport=sport, dport=port, seq=1001, ack=9001, flags=ACK)
    seq = 1001
    for at in range(0, len(said), 1_400):
        part = said[at : at + 1_400]
        yield tcp(src=src, dst=SERVER, sport=sport, dport=port, seq=seq, ack=9001, flags=PSH | ACK, payload=part)
        seq += len(part)
    for index in range(more):
        number_ = 9001 + index * len(DATA)
        yield tcp(src=SERVER, dst=src, sport=port, dport=sport, seq=number_, ack=seq, flags=ACK, payload=DATA)


def long_flows(flows: int) -> Iterator[bytes]:
    said = hello("innocent.example")
    for number in range(flows):
        yield from connection(number, said, 443, 200)


def short_flows(flows: int) -> Iterator[bytes]:
    said = hello("innocent.example")
    for number in range(flows):
        yield from connection(number, said, 443, 2)


def mixed(flows: int) -> Iterator[bytes]:
    """One flow in three each: TLS, HTTP, DNS."""
    said = hello("innocent.example")
    for number in range(flows):
        src, sport = _client(number)
        if number % 3 == 0:
            yield from connection(number, said, 443, 20)
        elif number % 3 == 1:
            yield from connection(number, GET, 80, 10)
        else:
            yield udp(src=src, dst=RESOLVER, sport=sport, dport=53, payload=QUERY)
            answer = QUERY[:2] + b"\x81\x80" + QUERY[4:]
            yield udp(src=RESOLVER, dst=src, sport=53, dport=sport, payload=answer)


#: name -> traffic and the number of flows at scale 1
WORKLOADS: dict[str, tuple[Callable[[int], Iterator[bytes]], int]] = {
    "long flows": (long_flows, 1_000),
    "short flows": (short_flows, 20_000),
    "mix": (mixed, 9_000),
}


def resident_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def timed(policy: Policy, packets: list[bytes]) -> tuple[float, int]:
    """Packets a second, and kB that the engine took for them."""
    censor = Censor(policy, seed=1)
    before = resident_kb()
    now_ns = 1_700_000_000_000_000_000
    start = time.process_time()  # of this process alone: the machine is shared
    for packet in packets:
        now_ns += 1_000
        censor.decide(packet, now_ns)
    return len(packets) / (time.process_time() - start), resident_kb() - before


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--policy", default="sni-drop", help="a shipped name or a file (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many flows (default: %(default)s)")
    options = parser.parse_args()
    policy = Policy.load(options.policy)
    traffic = {name: list(make(max(3, int(flows * options.scale)))) for name, (make, flows) in WORKLOADS.items()}
    rates: dict[str, list[float]] = {name: [] for name in traffic}
    memory: dict[str, list[int]] = {name: [] for name in traffic}
    gc.disable()  # as in the box process, which makes no cycles
    for _ in range(options.repeats):
        for name, packets in traffic.items():
            rate, grown = timed(policy, packets)
            rates[name].append(rate)
            memory[name].append(grown)
    compiled = "compiled" if not sys.modules["middlebox.censor"].__file__.endswith(".py") else "plain Python"  # type: ignore[union-attr]
    print(f"policy {policy.name}, {compiled} {sys.version.split()[0]}, median of {options.repeats} interleaved runs")
    for name, packets in traffic.items():
        median = statistics.median(rates[name])
        spread = f"{min(rates[name]):.0f} to {max(rates[name]):.0f}"
        print(
            f"{name:<12} {len(packets):>9} packets  {median:>9.0f} a second ({spread}), {max(memory[name]) // 1024} MB"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
