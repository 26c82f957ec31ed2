"""A box in virtual time does what a live box does, in the same order."""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP

from middlebox.censor import Censor
from middlebox.drivers.box import Box
from middlebox.drivers.leaving import Leaving
from middlebox.drivers.log import line
from middlebox.drivers.virtual import VirtualBox
from middlebox.packet import view
from middlebox.policy import Policy
from tests.middlebox.dialogue import NOON, hello, policy

POLICY = """
name: everything
box: {placement: in-path}
rules:
  - {name: held, match: {transport: [tcp, udp], server.port: 8443}, action: {hold: 30 ms}}
  - {name: slow, match: {server.port: 8080}, action: {police: {rate: 8 kbit/s, burst: 1500 B, per: flow}}}
  - {name: rewritten, match: {tls.sni: {under: rewritten.example}}, action: {rewrite: RST+ACK}}
  - {name: name, match: {dns.name: {under: blocked.example}}, action: {dns: {a: [192.0.2.1], reaction: 2 ms}}}
  - name: sni
    match: {tls.sni: {under: blocked.example}}
    action: {reset: {toward: both, copies: 2}}
    memory: {for: 10 s, key: 3-tuple, action: {drop: packet}}
"""


class _Raw:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @property
    def flow(self) -> tuple[tuple[bytes, int, bytes, int], int] | None:
        seen = view(self.raw)
        if seen is None or not seen.tcp_at:
            return None
        return (seen.src, seen.src_port, seen.dst, seen.dst_port), seen.flags


class _Queued:
    """A packet as the kernel's queue hands it out."""

    def __init__(self, raw: bytes, number: int, accepted: Callable[[bytes], object]) -> None:
        self.id = number
        self._raw = raw
        self._accepted = accepted

    def get_payload(self) -> bytes:
        return self._raw

    def get_timestamp(self) -> float:
        return 0.0

    def set_payload(self, payload: bytes) -> None:
        self._raw = payload

    def set_mark(self, mark: int) -> None:
        raise AssertionError("nobody to mark for")

    def accept(self) -> None:
        self._accepted(self._raw)

    def drop(self) -> None:
        pass


class _Time:
    """A clock with timers."""

    def __init__(self) -> None:
        self.now_ns = NOON
        self._calls: list[tuple[int, int, Callable[[], None]]] = []

    def at(self, t_ns: int, call: Callable[[], None]) -> None:
        heapq.heappush(self._calls, (t_ns, len(self._calls), call))

    def go(self, until_ns: int) -> None:
        while self._calls and self._calls[0][0] <= until_ns:
            self.now_ns, _, call = heapq.heappop(self._calls)
            call()
        self.now_ns = until_ns


class Capture:
    def __init__(self) -> None:
        self.said: list[tuple[int, bytes]] = []

    def write(self, t_ns: int, packet: bytes) -> None:
        self.said.append((t_ns, packet))

    def flush(self) -> None:
        pass


def _tcp(ports: dict[str, int], **fields: int | str) -> TCP:
    return TCP(**ports, **fields)  # type: ignore[arg-type]  # scapy's fields have no types


def conversations(seed: int = 3) -> list[tuple[int, bytes]]:
    """Connections side by side, some of whose packets meet each rule."""
    draw = random.Random(seed)
    made: list[tuple[int, bytes]] = []
    names = ["blocked.example", "innocent.example", "rewritten.example"]
    for number in range(60):
        client, server = f"10.0.0.{draw.randrange(1, 9)}", f"203.0.113.{draw.randrange(1, 4)}"
        port = draw.choice([443, 443, 8443, 8080])
        begin = draw.randrange(2_000) * 1_000_000
        there = {"sport": 40_000 + number, "dport": port}
        back = {"sport": port, "dport": 40_000 + number}
        told = hello(draw.choice(names))
        for step, layer in enumerate(
            (
                IP(src=client, dst=server) / _tcp(there, flags="S", seq=1),
                IP(src=server, dst=client) / _tcp(back, flags="SA", seq=9, ack=2),
                IP(src=client, dst=server) / _tcp(there, flags="A", seq=2, ack=10),
                IP(src=client, dst=server) / _tcp(there, flags="PA", seq=2, ack=10) / told,
                IP(src=server, dst=client) / _tcp(back, flags="A", seq=10, ack=2 + len(told)) / (b"d" * 900),
                IP(src=server, dst=client) / _tcp(back, flags="A", seq=910, ack=2 + len(told)) / (b"d" * 900),
                IP(src=client, dst=server) / UDP(sport=5_000, dport=53) / DNS(qd=DNSQR(qname=draw.choice(names))),
            )
        ):
            made.append((NOON + begin + step * 7_000_000, bytes(layer)))
    return sorted(made)


def _live(told: Policy, packets: list[tuple[int, bytes]]) -> tuple[list[tuple[int, bytes]], list[bytes]]:
    time = _Time()
    out: list[tuple[int, bytes]] = []
    log: list[bytes] = []

    def leave(raw: bytes) -> bool:
        out.append((time.now_ns, raw))
        return True

    box = Box(Censor(told, seed=5), "box", capture=Capture(), send=leave, clock=lambda: time.now_ns, log=log.append)
    for number, (t_ns, raw) in enumerate(packets, 1):
        while (due := box.censor.next_due()) is not None and due <= t_ns:
            time.now_ns = max(time.now_ns, due)
            box.release(time.now_ns)
        time.now_ns = t_ns
        box.take(_Queued(raw, number, leave))
        box.settle()
    while (due := box.censor.next_due()) is not None:
        time.now_ns = max(time.now_ns, due)
        box.release(time.now_ns)
    return out, log


def virtual(
    told: Policy, packets: list[tuple[int, bytes]], leaving: Leaving | None = None
) -> tuple[list[tuple[int, bytes]], list[bytes], Capture]:
    time = _Time()
    out: list[tuple[int, bytes]] = []
    log: list[bytes] = []
    capture = Capture()
    box = VirtualBox[_Raw](
        Censor(told, seed=5),
        "box",
        forward=lambda packet, rewritten: out.append((time.now_ns, packet.raw if rewritten is None else rewritten)),
        send=lambda raw: out.append((time.now_ns, raw)),
        clock=lambda: time.now_ns,
        at=time.at,
        log=lambda decision: log.append(line(decision, "box")),
        capture=capture,
        leaving=leaving,
    )
    for t_ns, raw in packets:
        time.go(t_ns)
        box.take(_Raw(raw))
    time.go(packets[-1][0] + 10_000_000_000)
    assert box.held == 0
    return out, log, capture


def test_what_leaves_the_log_and_the_capture_are_those_of_a_live_box() -> None:
    told, packets = policy(POLICY), conversations()
    out, log = _live(told, packets)
    virtual_out, virtual_log, capture = virtual(told, packets)
    assert virtual_log == log
    assert virtual_out == out
    assert capture.said == packets
    actions = {json.loads(said)["rule"] for said in log}
    assert actions == {"held", "slow", "rewritten", "name", "sni"}
    assert {json.loads(said)["verdict"] for said in log} == {"pass", "drop", "hold"}


def test_a_held_packet_goes_on_when_its_time_has_come_with_no_packet_behind_it() -> None:
    packet = bytes(IP(src="10.0.0.1", dst="203.0.113.1") / UDP(sport=40_000, dport=8_443) / b"x")
    out, _, _ = virtual(policy(POLICY), [(NOON, packet)])
    assert out == [(NOON + 30_000_000, packet)]


def test_a_box_that_stops_lets_held_packets_go_in_their_order() -> None:
    time, out = _Time(), list[bytes]()
    box = VirtualBox[_Raw](
        Censor(policy(POLICY)),
        "box",
        forward=lambda packet, _: out.append(packet.raw),
        send=lambda raw: pytest.fail("nothing to send"),
        clock=lambda: time.now_ns,
        at=time.at,
        log=lambda _: None,
    )
    packets = [bytes(IP(src="10.0.0.1", dst="203.0.113.1") / UDP(sport=40_000 + n, dport=8_443)) for n in (3, 1, 2)]
    for raw in packets:
        box.take(_Raw(raw))
    assert (out, box.held) == ([], 3)
    assert box.let_go() == 3
    assert out == packets


def test_a_changed_policy_and_a_phase_hold_from_the_next_packet_on() -> None:
    time, log = _Time(), list[bytes]()
    box = VirtualBox[_Raw](
        Censor(policy("name: none\nrules: []")),
        "box",
        forward=lambda packet, _: None,
        send=lambda raw: None,
        clock=lambda: time.now_ns,
        at=time.at,
        log=lambda decision: log.append(line(decision, "box")),
    )
    raw = bytes(IP(src="10.0.0.1", dst="203.0.113.1") / UDP(sport=40_000, dport=8_443) / b"x")
    box.take(_Raw(raw))
    box.change(
        policy(
            "name: n\nrules: [{name: late, match: {transport: udp, server.port: 8443}, action: {drop: packet},"
            " when: {phase: during}}]"
        )
    )
    box.take(_Raw(raw))
    assert log == []
    box.enter_phase("during")
    box.take(_Raw(raw))
    assert [json.loads(said)["packet"] for said in log] == [2]
