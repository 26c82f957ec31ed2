"""Memory across flows: key, duration, re-arming, coverage, start, bounds."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP

from tests.middlebox.dialogue import Connection, Play, dropped, forged, hello, passed


def play(memory: str, action: str = "{drop: flow}", box: str = "") -> Play:
    return Play(f"""
        name: memory
        box: {{{box}}}
        rules:
          - name: sni
            match: {{tls.sni: {{under: blocked.example}}}}
            action: {action}
            memory: {{{memory}}}
    """)


def fate(one: Play, **where: object) -> bool:
    """True if a SYN of a new connection is dropped."""
    return dropped(Connection(one, **where).syn())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "same_all", "other_port", "other_service", "other_server", "other_client"),
    [
        ("4-tuple", True, False, False, False, False),
        ("3-tuple", True, True, False, False, False),
        ("2-tuple", True, True, True, False, False),
        ("client", True, True, True, True, False),
        ("server", True, True, True, False, True),
    ],
)
def test_the_key_says_who_shares_the_fate(
    key: str, same_all: bool, other_port: bool, other_service: bool, other_server: bool, other_client: bool
) -> None:
    one = play(f"for: 60 s, key: {key}")
    assert dropped(one.connect().send(hello()))
    assert fate(one) is same_all
    assert fate(one, sport=40001) is other_port
    assert fate(one, sport=40002, dport=80) is other_service
    assert fate(one, sport=40003, server="203.0.113.6") is other_server
    assert fate(one, sport=40004, client="10.0.0.2") is other_client


def test_it_ends_after_its_time() -> None:
    one = play("for: 90 s, key: 3-tuple")
    one.connect().send(hello())
    one.wait(89)
    assert fate(one, sport=40001)
    one.wait(2)
    assert not fate(one, sport=40002)


@pytest.mark.parametrize(("rearm", "still"), [("never", False), ("on-trigger", False), ("on-packet", True)])
def test_any_packet_prolongs_it_only_under_on_packet(rearm: str, still: bool) -> None:
    """Kazakhstan and Iran reset the timer by any packet (Bock et al., WOOT 2021)."""
    one = play(f"for: 60 s, key: 3-tuple, rearm: {rearm}")
    one.connect().send(hello())
    one.wait(50)
    assert fate(one, sport=40001)
    one.wait(50)
    assert fate(one, sport=40002) is still


@pytest.mark.parametrize(("rearm", "still"), [("never", False), ("on-trigger", True)])
def test_a_new_trigger_prolongs_it_only_under_on_trigger(rearm: str, still: bool) -> None:
    """ESNI in China: sending the trigger again does not reset the timer."""
    one = play(f"for: 60 s, key: 3-tuple, rearm: {rearm}, start: data", action="reset", box="placement: on-path")
    one.connect().send(hello())
    one.wait(50)
    flow = one.connect(sport=40001)
    flow.send(hello())
    one.wait(50)
    later = one.connect(sport=40002).send(hello("innocent.example"))
    assert bool(later.injected) is still


def test_for_ever_is_for_ever() -> None:
    one = play("for: forever, key: client")
    one.connect().send(hello())
    one.wait(400 * 86_400)
    assert fate(one, sport=40001)


def test_a_delay_before_it_begins() -> None:
    """ESNI: at least a second to arm."""
    one = play("for: 60 s, key: 3-tuple, delay: 1 s")
    one.connect().send(hello())
    assert not fate(one, sport=40001)
    one.wait(1)
    assert fate(one, sport=40002)


def test_coverage_is_a_share_of_later_flows() -> None:
    one = play("for: 600 s, key: 3-tuple, coverage: 60 %")
    one.connect().send(hello())
    hit = sum(fate(one, sport=20_000 + index) for index in range(400))
    assert 205 <= hit <= 275  # 240 expected, 3.5 standard deviations


def test_its_own_action_may_differ_from_the_first() -> None:
    one = play("for: 60 s, key: 3-tuple, action: {drop: to-server}", action="reset")
    first = one.connect().send(hello())
    assert forged(first)
    later = Connection(one, sport=40001)
    assert dropped(later.syn())
    assert passed(one.give(later.to_client(flags="SA")))


@pytest.mark.parametrize(
    ("start", "fates"),
    [("syn", [True, True, True]), ("established", [False, True, True]), ("data", [False, False, True])],
)
def test_a_residual_reset_starts_where_it_is_told(start: str, fates: list[bool]) -> None:
    one = play(f"for: 60 s, key: 3-tuple, start: {start}", action="reset", box="placement: on-path")
    one.connect().send(hello())
    later = Connection(one, sport=40001)
    seen = [bool(later.syn().injected)]
    one.give(later.to_client(flags="SA"))
    later.peer += 1
    seen.append(bool(one.give(later.to_server(flags="A")).injected))
    seen.append(bool(later.send(hello("innocent.example")).injected))
    assert seen == fates


def test_the_servers_side_of_a_remembered_flow_is_found_too() -> None:
    one = play("for: 60 s, key: 4-tuple")
    flow = one.connect()
    flow.send(hello())
    assert dropped(flow.answer(b"x"))
    assert "remembers" in one.decisions[-1].reason or "being dropped" in one.decisions[-1].reason


def test_the_memory_is_bounded() -> None:
    one = play("for: forever, key: 4-tuple", box="limits: {residual: 50}")
    for index in range(200):
        one.connect(sport=20_000 + index).send(hello())
    assert one.censor.counters()["residual"] == 50
    assert one.censor.counters()["residual_evicted"] == 150


def test_the_flow_that_was_struck_keeps_its_own_fate() -> None:
    """TSPU, SNI-II: five to eight packets pass, then silence, and 420 s for the same 4-tuple (IMC 2022)."""
    one = play("for: 420 s, key: 4-tuple, action: {drop: flow}", action="{drop: {what: flow, after: 5-8 packets}}")
    flow = one.connect()
    flow.send(hello())
    fates = [dropped(flow.answer(b"x")) for _ in range(10)]
    assert 5 <= fates.index(True) <= 8
    one.give(flow.to_server(flags="FA"))
    assert fate(one, isn=99_000)


def test_all_actions_of_a_rule_meet_later_flows_and_a_log_before_them_hides_none() -> None:
    one = play("for: 60 s, key: 3-tuple", action="[log, {drop: flow}, reset]")
    one.connect().send(hello())
    decision = Connection(one, sport=40001).send(b"hello")
    assert dropped(decision)
    assert decision.action == "log+drop+reset"
    towards_server = forged(decision)[1]
    assert towards_server.dst == "203.0.113.5"
    assert towards_server["TCP"].seq == 1000, "the server never gets the dropped packet: its number is the expected one"


def test_a_memory_that_starts_at_data_lets_both_ends_shake_hands() -> None:
    one = play("for: 60 s, key: 3-tuple, start: data", action="{drop: flow}")
    one.connect().send(hello())
    later = Connection(one, sport=40001)
    later.open()
    assert all(passed(decision) for decision in one.decisions[-3:])
    assert dropped(later.send(b"hello"))


def test_rules_remember_the_same_ends_each_for_itself() -> None:
    rules = "\n".join(
        f"          - {{name: {name}, match: {{tls.sni: {{under: {name}.example}}}}, action: drop, memory: {memory}}}"
        for name, memory in (
            ("one", "{for: forever, key: 2-tuple, coverage: 0.000001 %}"),
            ("two", "{for: 60 s, key: 2-tuple}"),
            ("six", "{for: 10 s, key: 2-tuple}"),
        )
    )
    one = Play(f"name: memory\nrules:\n{rules}\n")
    for sport, name in ((40000, "one"), (40001, "two")):
        one.connect(sport=sport).send(hello(f"{name}.example"))
    decision = Connection(one, sport=40002).syn()
    assert dropped(decision)
    assert decision.rule == "two"
    assert one.censor.counters()["residual"] == 2
    one.wait(61)
    assert passed(Connection(one, sport=40003).syn())
    assert one.censor.counters()["residual"] == 1


def test_a_remembered_client_gets_forged_answers_to_its_own_queries() -> None:
    one = Play("""
        name: memory
        rules:
          - name: dns
            match: {dns.name: {under: blocked.example}}
            action: {dns: {a: [192.0.2.1]}}
            memory: {for: 60 s, key: client}
    """)
    one.ask("blocked.example")
    for port in (5353, 5354):
        (answer,) = forged(one.ask("other.example", port=port))
        assert answer["DNS"].qd[0].qname == b"other.example."
        assert answer["DNS"].an[0].rdata == "192.0.2.1"


def test_what_is_let_through_while_it_is_remembered_is_followed() -> None:
    one = play("for: 60 s, key: 3-tuple", action="reset", box="placement: on-path")
    one.connect().send(hello())
    later = one.connect(sport=40001)
    for _ in range(100):
        assert later.send(bytes(1000)).rule == "sni"
    counters = one.censor.counters()
    assert counters["buffered_bytes"] == 0, "foreign bytes are read as such, not kept behind a hole"


def test_a_memory_of_ports_is_one_of_their_transport() -> None:
    box = play("for: 60 s, key: 3-tuple")
    assert dropped(box.connect().send(hello()))
    assert dropped(box.connect(sport=41000).send(b"anything"))
    datagram = IP(src="10.0.0.1", dst="203.0.113.5") / UDP(sport=5000, dport=443) / b"anything"
    assert passed(box.give(datagram))
    box = play("for: 60 s, key: 2-tuple")
    assert dropped(box.connect().send(hello()))
    assert dropped(box.give(datagram))
