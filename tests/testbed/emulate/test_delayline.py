"""Delay, jitter, loss and order, measured by packets that carry their number."""

from __future__ import annotations

import json
import sys
from statistics import median

import pytest

from testbed.emulate.delayline import _Delaying
from testbed.lab import Lab
from testbed.topology import Topology, Way, national

#: send numbered datagrams, print for each that came back its number and round-trip time
ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(2000)
    s.sendto(data, peer)
"""
ASK = """
import json, select, socket, struct, sys, time
target, count, gap = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((target, 7))
found, sent, begin = [], 0, time.monotonic()
end = begin + count * gap + 1.0
while time.monotonic() < end and len(found) < count:
    while sent < count and time.monotonic() >= begin + sent * gap:
        s.send(struct.pack("!Id", sent, time.monotonic()))
        sent += 1
    if select.select([s], [], [], 0.001)[0]:
        number, at = struct.unpack("!Id", s.recv(100))
        found.append([number, time.monotonic() - at])
print(json.dumps(found))
"""


def network(way: Way) -> Topology:
    return national(name="t", subscribers=1, access=("direct",), transit=0, abroad=way, relay=False)


def echoes(lab: Lab, target: str, count: int, gap: float) -> list[tuple[int, float]]:
    server = lab.host("web").start([sys.executable, "-c", ECHO, target])
    try:
        end = 100
        while f":{7:04X}" not in lab.host("web").run(["cat", "/proc/net/udp", "/proc/net/udp6"]).stdout and end:
            end -= 1
        done = lab.client.run([sys.executable, "-c", ASK, target, str(count), str(gap)], timeout=60)
    finally:
        server.close()
    return [(int(number), float(seconds)) for number, seconds in json.loads(done.stdout)]


@pytest.mark.lab
@pytest.mark.parametrize("target", ["203.0.113.10", "2001:db8:203::10"])
def test_packets_are_delayed_both_ways_and_not_by_much_more(target: str) -> None:
    with Lab(topology=network(Way(delay=0.02))) as lab:
        times = [seconds for _, seconds in echoes(lab, target, 200, 0.002)]
        assert len(times) == 200
        assert min(times) >= 0.0399
        assert median(times) < 0.045
        assert lab.facts()["delay_means"] in ("netem", "delay line")


@pytest.mark.lab
def test_jitter_varies_the_delay_and_keeps_the_order() -> None:
    with Lab(topology=network(Way(delay=0.02, jitter=0.01))) as lab:
        found = echoes(lab, "203.0.113.10", 400, 0.002)
        assert [number for number, _ in found] == list(range(400))
        times = [seconds for _, seconds in found]
        assert max(times) - min(times) > 0.01
        assert min(times) >= 0.0199


@pytest.mark.lab
def test_loss_takes_its_share() -> None:
    with Lab(topology=network(Way(delay=0.001, loss=0.2)), seed=3) as lab:
        came = len(echoes(lab, "203.0.113.10", 1000, 0.001))
        assert 580 < came < 700  # 0.8 * 0.8 of 1000, within four standard deviations


def ways(seed: str, **values: float) -> _Delaying:
    return _Delaying(1000, "a/a-eth0", {"delay": 0.02, "jitter": 0.0, "loss": 0.0, "reorder": 0} | values, seed)


def test_the_same_seed_loses_the_same_packets() -> None:
    def lost(seed: str) -> list[int]:
        way = ways(seed, loss=0.1)
        return [number for number in range(1000) if way.due(number) is None]

    assert lost("1") == lost("1") != lost("2")
    assert 60 < len(lost("1")) < 140


def test_a_delay_is_exact_and_jitter_never_overtakes_unless_it_may() -> None:
    assert ways("1").due(5) == 5 + 20_000_000
    kept, mixed = ways("1", jitter=0.01), ways("1", jitter=0.01, reorder=1)
    times = [kept.due(number * 1_000_000) or 0 for number in range(500)]
    assert times == sorted(times)
    free = [mixed.due(number * 1_000_000) or 0 for number in range(500)]
    assert free != sorted(free)
    assert all(abs(at - number * 1_000_000 - 20_000_000) <= 10_000_000 for number, at in enumerate(free))
