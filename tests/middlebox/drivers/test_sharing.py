"""Who gets a packet: the program that the kernel runs against the same sum in Python, and what both must keep whole."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from middlebox.drivers.sharing import MAX_WORKERS, Step, bytecode, label_of, program, worker_of


def _run(steps: list[Step], packet: bytes) -> int:
    """What a program of classic BPF returns (bpf(4)); its words are in network order, its sums modulo 2^32."""
    a = x = at = 0
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        if code == 0x00:
            a = value
        elif code == 0x20:
            if value + 4 > len(packet):
                return 0
            a = int.from_bytes(packet[value : value + 4], "big")
        elif code == 0x07:
            x = a
        elif code == 0xAC:
            a ^= x
        elif code == 0x24:
            a = a * value % 2**32
        elif code == 0x74:
            a >>= value
        elif code == 0x15:
            at += if_true if a == value else if_false
        elif code == 0x06:
            return value
        else:
            raise AssertionError(f"no such code {code:#x}")


def _takers(packet: bytes, workers: int) -> list[int]:
    version = packet[0] >> 4
    return [worker for worker in range(workers) if _run(program(version, worker, workers, 7), packet)]


def _packets(chance: random.Random, count: int) -> list[bytes]:
    made = []
    for _ in range(count):
        if chance.random() < 0.5:
            ends = [".".join(str(chance.randrange(256)) for _ in range(4)) for _ in range(2)]
            made.append(bytes(IP(src=ends[0], dst=ends[1]) / UDP() / b"x"))
        else:
            ends = [":".join(f"{chance.randrange(1 << 16):x}" for _ in range(8)) for _ in range(2)]
            made.append(bytes(IPv6(src=ends[0], dst=ends[1]) / UDP() / b"x"))
    return made


@pytest.mark.parametrize("workers", [2, 3, 8, MAX_WORKERS])
def test_each_packet_is_one_workers_and_the_kernels_program_says_the_same(workers: int) -> None:
    for packet in _packets(random.Random(workers), 60):
        assert _takers(packet, workers) == [worker_of(packet, workers)]


def test_a_packet_that_is_too_short_is_nobodys() -> None:
    assert _takers(b"\x45" + bytes(18), 2) == []


def _pair(one: Packet, other: Packet) -> list[int]:
    return [worker_of(bytes(one), 8), worker_of(bytes(other), 8)]


def test_both_directions_every_protocol_and_all_fragments_of_two_hosts_are_one_workers() -> None:
    a, b = "10.0.0.1", "203.0.113.77"
    up = IP(src=a, dst=b) / TCP(sport=40_000, dport=443)
    wanted = worker_of(bytes(up), 8)
    others = [
        IP(src=b, dst=a) / TCP(sport=443, dport=40_000),
        IP(src=a, dst=b) / UDP(sport=5, dport=53),
        IP(src=b, dst=a) / ICMP(),
        *(IP(src=b, dst=a, id=7, proto=17, flags="MF", frag=at) / Raw(bytes(8)) for at in range(3)),
    ]
    assert {worker_of(bytes(one), 8) for one in others} == {wanted}
    six = _pair(IPv6(src="2001:db8::1", dst="2001:db8::2") / TCP(), IPv6(src="2001:db8::2", dst="2001:db8::1") / UDP())
    assert six[0] == six[1]


def test_neighbouring_addresses_are_spread_evenly() -> None:
    for workers in (2, 3, 4):
        counts = Counter(
            worker_of(bytes(IP(src=f"10.1.{high}.{low}", dst="203.0.113.10")), workers)
            for high in range(4)
            for low in range(1, 101)
        )
        assert len(counts) == workers
        assert max(counts.values()) < 1.1 * 400 / workers


def test_a_program_is_known_again_by_its_label() -> None:
    code = bytecode(program(4, 1, 2, 12))
    assert code.startswith("13,0 0 0 12,32 0 0 12,7 0 0 0,32 0 0 16,172 0 0 0,")
    assert len(program(6, 0, 2, 0)) < 64  # what xt_bpf takes
    assert label_of(code) == 12
    assert label_of("2,32 0 0 12,6 0 0 1") is None
    assert label_of("") is None
