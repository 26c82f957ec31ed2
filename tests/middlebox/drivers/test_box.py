"""The order in which a box carries decisions out, seen by a kernel and a censor that are made up."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP

from middlebox.censor import Censor
from middlebox.drivers.box import Box, Clock
from middlebox.policy import Policy
from middlebox.verdict import Decision, Direction, Disposition, Emission, Ends, Verdict
from tests.middlebox.dialogue import hello as client_hello

_WIDE = """
name: wide
box: {limits: {flows: 100, residual: 50, fragments: 20}, reassembly: {fragment_timeout: 1 s}}
rules:
  - name: sni
    match: {tls.sni: {under: blocked.example}}
    action: [{reset: {toward: both, copies: 3, reaction: 5 ms}}, {hold: 300 ms}]
    memory: {for: 10 s, key: 3-tuple, action: {drop: packet}}
  - name: dns
    match: {dns.name: {under: blocked.example}}
    action: {dns: {a: [192.0.2.1]}}
"""


class _Story:
    """A censor, a capture, a sender and a log that write down what happens to them."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.decisions: list[Decision] = []
        self.coming: list[Emission] = []
        self.now_ns = 1_000
        self.logged: list[bytes] = []
        self.box = Box(self, "box", capture=self, send=self.send, clock=lambda: self.now_ns, log=self.log)

    def decide(self, raw: bytes, now_ns: int) -> Decision:
        self.happened.append(f"decide {raw.decode()} at {now_ns}")
        return self.decisions.pop(0)

    def due(self, now_ns: int) -> list[Emission]:
        ready = [emission for emission in self.coming if emission.at_ns <= now_ns]
        self.coming = [emission for emission in self.coming if emission.at_ns > now_ns]
        return ready

    def next_due(self) -> int | None:
        return min((emission.at_ns for emission in self.coming), default=None)

    def enter_phase(self, name: str, now_ns: int) -> None:
        raise AssertionError("not asked for")

    def change(self, policy: Policy, now_ns: int) -> None:
        raise AssertionError("not asked for")

    def counters(self) -> dict[str, int]:
        return {}

    def write(self, t_ns: int, packet: bytes) -> None:
        self.happened.append(f"capture {packet.decode(errors='replace')} at {t_ns}")

    def flush(self) -> None:
        self.happened.append("flush")

    def send(self, packet: bytes) -> bool:
        self.happened.append(f"send {packet.decode()}")
        return True

    def log(self, line: bytes) -> None:
        self.happened.append("log")
        self.logged.append(line)


class _Packet:
    def __init__(self, story: _Story, name: str, number: int) -> None:
        self.story = story
        self.name = name
        self.id = number

    def get_payload(self) -> bytes:
        return self.name.encode()

    def get_timestamp(self) -> float:
        return 0.0

    def set_payload(self, payload: bytes) -> None:
        self.story.happened.append(f"rewrite {self.name} as {payload.decode()}")

    def set_mark(self, mark: int) -> None:
        self.story.happened.append(f"mark {self.name} {mark:#x}")

    def accept(self) -> None:
        self.story.happened.append(f"accept {self.name}")

    def drop(self) -> None:
        self.story.happened.append(f"drop {self.name}")


def _emission(name: str, at_ns: int, *, after: bool = False, releases: int = -1) -> Emission:
    return Emission(
        packet=name.encode(),
        at_ns=at_ns,
        toward=Direction.TO_CLIENT,
        injector="one",
        after_trigger=after,
        releases=releases,
    )


@pytest.fixture
def story() -> _Story:
    return _Story()


def test_the_capture_comes_first_and_a_passed_packet_is_not_logged(story: _Story) -> None:
    story.decisions = [Decision(number=0, t_ns=1_000, verdict=Verdict.PASS)]
    story.box.take(_Packet(story, "p", 1))
    story.box.settle()
    assert story.happened == ["capture p at 1000", "decide p at 1000", "accept p"]
    assert story.box.packets == 1


def test_injections_leave_before_the_verdict_and_only_those_meant_for_after_it_later(story: _Story) -> None:
    sent = (_emission("rst1", 1_000), _emission("rst2", 1_000, after=True), _emission("rst3", 1_001))
    story.decisions = [Decision(number=0, t_ns=1_000, verdict=Verdict.PASS, rule="sni", injected=sent)]
    story.box.take(_Packet(story, "hello", 1))
    story.box.settle()
    assert story.happened[2:] == ["send rst1", "accept hello", "send rst2", "flush", "log"]
    assert json.loads(story.logged[0])["injected"] == 3


def test_an_injection_of_a_later_time_leaves_when_it_is_due(story: _Story) -> None:
    story.coming = [_emission("late", 5_000)]
    story.box.release(4_999)
    assert story.happened == []
    story.box.release(5_000)
    assert story.happened == ["send late"]


def test_what_is_due_leaves_before_the_next_packet_is_decided_on(story: _Story) -> None:
    story.coming = [_emission("late", 900)]
    story.decisions = [Decision(number=0, t_ns=1_000, verdict=Verdict.DROP, rule="r")]
    story.box.take(_Packet(story, "p", 1))
    assert story.happened == ["send late", "capture p at 1000", "decide p at 1000", "drop p"]


def test_a_rewritten_packet_goes_on_as_it_was_rewritten(story: _Story) -> None:
    story.decisions = [Decision(number=0, t_ns=1_000, verdict=Verdict.PASS, rule="r", rewritten=b"q")]
    story.box.take(_Packet(story, "p", 1))
    assert story.happened[2:] == ["rewrite p as q", "accept p"]


def test_a_held_packet_waits_until_it_is_released(story: _Story) -> None:
    story.decisions = [Decision(number=0, t_ns=1_000, verdict=Verdict.HOLD, rule="r", release_ns=2_000)]
    story.box.take(_Packet(story, "p", 1))
    assert story.box.held == 1
    assert "accept p" not in story.happened
    story.coming = [_emission("", 2_000, releases=0)]
    story.box.release(2_000)
    assert story.happened[-1] == "accept p"
    assert story.box.held == 0


def test_a_box_that_stops_lets_held_packets_go_in_their_order(story: _Story) -> None:
    for number, name in enumerate(("a", "b")):
        story.decisions = [Decision(number=number, t_ns=1_000, verdict=Verdict.HOLD, rule="r", release_ns=9_000)]
        story.box.take(_Packet(story, name, number + 1))
    assert story.box.let_go() == 2
    assert story.happened[-2:] == ["accept a", "accept b"]


class _Fates:
    """Leaves every flow to the kernel that it is asked about."""

    def __init__(self, story: _Story) -> None:
        self.story = story

    def mark(self, decision: Decision) -> int:
        return 0 if decision.rule == "never" else 0x1000

    def revoke(self, revoked: tuple[Ends, ...]) -> None:
        self.story.happened.append(f"revoke {len(revoked)}")


def test_a_decided_flow_is_marked_by_its_packet_and_a_dropped_one_is_dropped_where_its_mark_is_kept(
    story: _Story,
) -> None:
    story.box.fates = _Fates(story)
    story.decisions = [
        Decision(number=0, t_ns=1_000, verdict=Verdict.PASS, disposition=Disposition.PASS),
        Decision(number=1, t_ns=1_000, verdict=Verdict.DROP, rule="r", disposition=Disposition.DROP),
        Decision(number=2, t_ns=1_000, verdict=Verdict.DROP, rule="never", disposition=Disposition.DROP),
        Decision(number=3, t_ns=1_000, verdict=Verdict.DROP, rule="r"),
    ]
    for number, name in enumerate("pqrs"):
        story.box.take(_Packet(story, name, number + 1))
    said = [one for one in story.happened if one.split()[0] not in ("capture", "decide")]
    assert said == ["mark p 0x1000", "accept p", "mark q 0x1000", "accept q", "drop r", "drop s"]


def test_marks_are_taken_back_before_the_packet_that_caused_it_goes_on(story: _Story) -> None:
    story.box.fates = _Fates(story)
    ends = Ends(b"\x0a\0\0\1", 0, b"", 0)
    story.decisions = [Decision(number=0, t_ns=1_000, verdict=Verdict.PASS, rule="r", revokes=(ends,))]
    story.box.take(_Packet(story, "p", 1))
    assert story.happened[2:] == ["revoke 1", "accept p"]


def test_gaps_in_the_queues_count_are_packets_that_nobody_saw(story: _Story) -> None:
    for number in (1, 2, 5):
        story.decisions = [Decision(number=0, t_ns=1_000, verdict=Verdict.PASS)]
        story.box.take(_Packet(story, "p", number))
    assert story.box.unseen == 2


def test_the_clock_is_near_the_wall_and_never_goes_back() -> None:
    clock = Clock()
    read = [clock.now() for _ in range(10_000)]
    assert read == sorted(read)
    assert abs(read[-1] - time.time_ns()) < 100_000_000


class _Kept:
    """A packet in the kernel's queue that notes nothing."""

    def __init__(self, raw: bytes, number: int) -> None:
        self.raw = raw
        self.id = number

    def get_payload(self) -> bytes:
        return self.raw

    def get_timestamp(self) -> float:
        return 0.0

    def set_payload(self, payload: bytes) -> None:
        pass

    def set_mark(self, mark: int) -> None:
        pass

    def accept(self) -> None:
        pass

    def drop(self) -> None:
        pass


def _mixed(count: int) -> Iterator[bytes]:
    """Connections of all sorts: whole, in pieces, in fragments, forbidden, broken; and datagrams."""
    hello = client_hello("blocked.example")
    for number in range(count):
        ends: dict[str, Any] = {"src": f"10.0.{number >> 8 & 255}.{number & 255}", "dst": "203.0.113.5", "ttl": 64}
        tcp: dict[str, Any] = {"sport": 40000, "dport": 443, "seq": 2, "ack": 10}
        yield bytes(IP(**ends) / TCP(**{**tcp, "seq": 1, "ack": 0}, flags="S"))
        yield bytes(IP(**ends) / TCP(**tcp, flags="PA") / hello[: 50 * (number % 7)])
        yield bytes(IP(**ends) / TCP(**{**tcp, "seq": 2 + 50 * (number % 7)}, flags="PA") / hello[50 * (number % 7) :])
        yield bytes(IP(**ends, flags="MF", id=number) / UDP(sport=53, dport=53) / bytes(40))
        yield bytes(IP(**ends) / UDP(sport=40000, dport=53) / DNS(rd=1, qd=DNSQR(qname="blocked.example")))
        yield bytes(IP(**ends))[: number % 20]


def test_a_box_makes_no_cycles_so_it_needs_no_collector(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(_WIDE, encoding="utf-8")
    now_ns = 1_723_723_200_000_000_000
    box = Box(
        Censor(Policy.load(tmp_path / "policy.yaml"), seed=7),
        "box",
        capture=_Story(),
        send=lambda packet: True,
        clock=lambda: now_ns,
        log=lambda line: None,
    )
    packets = list(_mixed(300))
    gc.collect()
    gc.disable()
    try:
        for number, raw in enumerate(packets):
            now_ns += 100_000_000  # old flows, fragments and memories end meanwhile
            box.take(_Kept(raw, number + 1))
            box.settle()
        assert box.censor.counters()["rule:sni"] > 100
        assert box.censor.counters()["flows_evicted"] > 100
        assert gc.collect() == 0
    finally:
        gc.enable()
