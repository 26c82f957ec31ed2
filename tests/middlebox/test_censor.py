"""What happens to whom: verdicts, the order of rules, chance, schedules, holds, and no bytes that raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop

from middlebox.censor import Censor
from middlebox.verdict import Direction, Disposition, Verdict
from tests.middlebox.dialogue import MS, NOON, Play, S, dropped, forged, get, hello, passed, pieces, policy

DROP = """
    name: sni-drop
    lists: {banned: [blocked.example]}
    rules:
      - name: sni
        match: {tls.sni: {under: banned}}
        action: {drop: flow}
"""


@pytest.mark.parametrize("name", ["blocked.example", "www.blocked.example", "BLOCKED.example"])
def test_a_blocked_name_is_dropped_and_so_is_the_rest_of_its_flow(name: str) -> None:
    play = Play(DROP)
    flow = play.connect()
    decision = flow.send(hello(name))
    assert dropped(decision)
    assert decision.rule == "sni"
    assert decision.flow == "tcp 10.0.0.1:40000>203.0.113.5:443"
    assert decision.disposition is Disposition.DROP
    assert dropped(flow.answer(b"late"))
    assert dropped(flow.send(b"again"))


@pytest.mark.parametrize("name", ["innocent.example", "notblocked.example", "blocked.example.org", None])
def test_an_innocent_name_on_the_same_address_passes_and_is_then_left_alone(name: str | None) -> None:
    play = Play(DROP)
    flow = play.connect()
    assert passed(flow.send(hello(name)))
    assert passed(flow.answer(b"ServerHello"))
    decision = flow.send(b"Finished")
    assert decision.disposition is Disposition.PASS


def test_ipv6_is_no_way_around() -> None:
    play = Play(DROP)
    flow = play.connect(client="2001:db8:1::1", server="2001:db8:c::5")
    decision = flow.send(hello())
    assert dropped(decision)
    assert decision.flow == "tcp [2001:db8:1::1]:40000>[2001:db8:c::5]:443"


def test_ipv6_extension_headers_are_walked_unless_the_box_cannot() -> None:
    for text, blocked in ((DROP, True), (DROP + "    box: {extension_headers: false}\n", False)):
        play = Play(text)
        flow = play.connect(client="2001:db8:1::1", server="2001:db8:c::5")
        packet = flow.to_server(hello())
        inner = packet.payload
        packet.remove_payload()
        extended = packet / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / inner
        assert dropped(play.give(IPv6(bytes(extended)))) is blocked


def test_fragments_are_put_together_unless_the_box_cannot() -> None:
    for text, blocked in ((DROP, True), (DROP + "    box: {reassembly: {fragments: false}}\n", False)):
        play = Play(text)
        flow = play.connect()
        cut = pieces(flow.to_server(hello()), 128)
        assert len(cut) > 3
        verdicts = [play.give(piece) for piece in cut]
        assert all(passed(decision) for decision in verdicts[:-1])
        assert dropped(verdicts[-1]) is blocked


def test_the_first_rule_that_matches_decides_and_log_does_not() -> None:
    play = Play("""
        name: order
        rules:
          - {name: see, match: {tls.sni: {present: true}}, action: log}
          - {name: spare, match: {tls.sni: good.blocked.example}, action: pass}
          - {name: block, match: {tls.sni: {under: blocked.example}}, action: {drop: packet}}
    """)
    good = play.connect().send(hello("good.blocked.example"))
    assert (good.rule, good.verdict, good.disposition) == ("spare", Verdict.PASS, Disposition.PASS)
    bad = play.connect(sport=40001).send(hello("bad.blocked.example"))
    assert (bad.rule, bad.verdict) == ("block", Verdict.DROP)
    other = play.connect(sport=40002).send(hello("other.example"))
    assert (other.rule, other.verdict) == ("see", Verdict.PASS)
    assert play.censor.counters()["rule:see"] == 3


def test_an_allow_list_waits_until_the_name_is_known() -> None:
    play = Play("""
        name: allow-list
        rules:
          - name: others
            match: {transport: tcp, server.port: 443, not: {tls.sni: {under: allowed.example}}}
            action: {drop: flow}
    """)
    good = play.connect()
    text = hello("allowed.example")
    assert passed(good.send(text[:100]))
    assert passed(good.send(text[100:]))
    assert dropped(play.connect(sport=40001).send(hello("other.example")))
    assert dropped(play.connect(sport=40002).send(hello(None)))
    assert dropped(play.connect(sport=40003).send(b"\x00 not TLS at all"))
    assert passed(play.connect(sport=40004, dport=80).send(get()))


def test_a_drop_after_some_more_packets_counts_them_both_ways() -> None:
    play = Play("""
        name: tspu-sni-2
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {drop: {what: flow, after: 5-8 packets}}}
    """)
    flow = play.connect()
    assert flow.send(hello()).verdict is Verdict.PASS
    verdicts = []
    for _ in range(10):
        verdicts.append(dropped(flow.answer(b"x")))
        verdicts.append(dropped(flow.send(b"y")))
    assert 5 <= verdicts.index(True) <= 8
    assert all(verdicts[verdicts.index(True) :])


@pytest.mark.parametrize(
    ("scope", "client_dropped", "server_dropped"), [("to-server", True, False), ("to-client", False, True)]
)
def test_a_drop_of_one_direction_leaves_the_other(scope: str, client_dropped: bool, server_dropped: bool) -> None:
    play = Play(f"""
        name: one-way
        rules:
          - {{name: sni, match: {{tls.sni: {{under: blocked.example}}}}, action: {{drop: {scope}}}}}
    """)
    flow = play.connect()
    assert dropped(flow.send(hello())) is client_dropped
    assert dropped(flow.answer(b"x")) is server_dropped
    assert dropped(flow.send(b"y")) is client_dropped


def test_a_reaction_delay_lets_the_trigger_go_and_takes_what_comes_later() -> None:
    play = Play("""
        name: slow
        box: {reaction: 100 ms}
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {drop: flow}}
    """)
    flow = play.connect()
    assert flow.send(hello()).verdict is Verdict.PASS
    assert passed(flow.answer(b"in time"))
    play.wait(0.1)
    assert dropped(flow.answer(b"too late"))


def test_a_rule_on_addresses_strikes_each_packet_even_without_a_flow() -> None:
    play = Play("""
        name: null-route
        rules:
          - {name: host, match: {any.ip: {in: 203.0.113.5}}, action: {drop: packet}}
    """)
    flow = play.connect()
    assert all(dropped(decision) for decision in play.decisions)
    assert dropped(flow.send(b"x"))
    assert dropped(play.ping("10.0.0.1", "203.0.113.5"))
    assert passed(play.ping("10.0.0.1", "203.0.113.6"))


def test_inside_and_outside_initiators_differ() -> None:
    play = Play("""
        name: inside-only
        rules:
          - {name: sni, match: {initiator: inside, tls.sni: {under: blocked.example}}, action: {drop: flow}}
    """)
    assert dropped(play.connect().send(hello()))
    assert passed(play.connect(client="203.0.113.5", server="10.0.0.1").send(hello()))


def test_chance_is_drawn_for_each_flow_and_stays() -> None:
    text = """
        name: now-and-then
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {drop: packet}, chance: 30 %}
    """
    hit = []
    for seed in (1, 1, 2):
        play = Play(text, seed=seed)
        hit.append([dropped(play.connect(sport=20000 + index).send(hello())) for index in range(400)])
    assert hit[0] == hit[1]
    assert hit[0] != hit[2]
    assert 88 <= sum(hit[0]) <= 152  # 120 expected, 3.5 standard deviations


def test_a_schedule_lets_a_rule_sleep() -> None:
    play = Play("""
        name: nights
        rules:
          - name: sni
            match: {tls.sni: {under: blocked.example}}
            when: {time: "20:00-06:00"}
            action: {drop: packet}
    """)
    assert passed(play.connect().send(hello()))  # at noon
    play.wait(9 * 3600)
    assert dropped(play.connect(sport=40001).send(hello()))


def test_a_phase_wakes_a_rule() -> None:
    play = Play("""
        name: phases
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, when: {phase: during}, action: {drop: packet}}
    """)
    assert passed(play.connect().send(hello()))
    play.censor.enter_phase("during", play.now_ns)
    assert dropped(play.connect(sport=40001).send(hello()))
    play.censor.enter_phase("after", play.now_ns)
    assert passed(play.connect(sport=40002).send(hello()))


def test_a_held_packet_comes_back_when_its_time_has_come() -> None:
    play = Play("""
        name: delay
        rules:
          - {name: slow, match: {server.port: 443}, action: {hold: 200 ms}}
    """)
    play.connect()
    decision = play.decisions[0]
    assert decision.verdict is Verdict.HOLD
    assert decision.release_ns == decision.t_ns + 200 * MS
    assert play.censor.next_due() == decision.release_ns
    assert play.censor.due(decision.release_ns - 1) == []
    released = play.censor.due(decision.release_ns)
    assert [(one.releases, one.toward) for one in released] == [(0, Direction.TO_SERVER)]
    assert IP(released[0].packet)[TCP].flags == "S"


def test_pipelined_requests_are_read_one_after_the_other() -> None:
    play = Play("""
        name: hosts
        rules:
          - {name: host, match: {http.host: {under: blocked.example}}, action: {drop: flow}}
    """)
    flow = play.connect(dport=80)
    assert passed(flow.send(get("innocent.example")))
    assert dropped(flow.send(get("other.example") + get("blocked.example")))


def test_a_second_request_on_a_kept_connection_is_read() -> None:
    play = Play("""
        name: hosts
        rules:
          - {name: host, match: {http.target: {contains: forbidden}}, action: {drop: flow}}
    """)
    flow = play.connect(dport=80)
    assert passed(flow.send(get(target="/fine")))
    assert passed(flow.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
    assert dropped(flow.send(get(target="/forbidden")))


def test_a_large_upload_is_skipped_to_the_next_request() -> None:
    play = Play("""
        name: hosts
        rules:
          - {name: host, match: {http.target: {contains: forbidden}}, action: {drop: flow}}
    """)
    flow = play.connect(dport=80)
    body = 100_000
    assert passed(flow.send(f"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: {body}\r\n\r\n".encode()))
    for _ in range(body // 1000):
        assert passed(flow.send(b"b" * 1000))
    assert dropped(flow.send(get(target="/forbidden")))


def test_the_decision_says_who_when_and_why() -> None:
    play = Play(DROP)
    decision = play.connect().send(hello("www.blocked.example"))
    assert decision.row("box") == {
        "t_ns": NOON + 4 * MS,
        "box": "box",
        "flow": "tcp 10.0.0.1:40000>203.0.113.5:443",
        "packet": 3,
        "rule": "sni",
        "action": "drop",
        "verdict": "drop",
        "injected": 0,
        "reason": "rule 'sni' matches: tls.sni is www.blocked.example",
    }
    assert any("new flow" in said for said in play.told[0])


def test_a_silent_flow_is_forgotten_and_the_table_is_bounded() -> None:
    play = Play(DROP + "    box: {limits: {flows: 100}, tcp: {idle: 60 s}}\n")
    for index in range(1000):
        Play.connect(play, sport=10_000 + index)
    counters = play.censor.counters()
    assert counters["flows"] == 100
    assert counters["flows_evicted"] == 900
    flow = play.connect(sport=9_000)
    play.wait(61)
    assert passed(flow.send(hello()))  # the box has forgotten the handshake, and this one does not pick up midway


def test_bytes_that_wait_to_be_read_are_bounded_over_all_connections() -> None:
    play = Play(DROP + "    box: {limits: {buffered: 100 kB}}\n")
    flows = [play.connect(sport=20_000 + index) for index in range(50)]
    for flow in flows:
        for at in range(10):  # pieces of a hello that never ends, and one beyond a hole
            head = b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" if at == 0 else b""
            flow.send(head + b"a" * (1000 - len(head)))
        play.give(flow.to_server(b"b" * 1000, seq=flow.seq + 5000))
        assert play.censor.counters()["buffered_bytes"] <= 100_000
    assert play.censor.counters()["gave_up"] > 20
    play.wait(100_000)
    for index in range(200):
        play.connect(sport=10_000 + index)
    assert play.censor.counters()["buffered_bytes"] == 0


def test_time_that_goes_back_stands_still() -> None:
    censor = Censor(policy(DROP))
    packet = bytes(IP(src="10.0.0.1", dst="203.0.113.5") / UDP(sport=1, dport=2))
    assert censor.decide(packet, 5 * S).t_ns == 5 * S
    assert censor.decide(packet, 4 * S).t_ns == 5 * S


EVERYTHING = """
    name: everything
    box: {checksums: verify, minimum_ttl: 2, inspect: {directions: [to-server, to-client]}, tcp: {mid_stream: true}}
    rules:
      - {name: a, match: {tls.ja4: {regex: "^t13"}, tls.alpn: h3}, action: log}
      - name: b
        match: {any: [{tls.sni: {contains: block}}, {http.host: {regex: "x+y"}}]}
        action: [reset, {drop: flow}]
        memory: {for: 10 s, key: 3-tuple, rearm: on-packet}
      - {name: c, match: {dns.name: {under: blocked.example}}, action: {dns: {a: [192.0.2.1], aaaa: ["2001:db8::1"]}}}
      - name: d
        match: {not: {ip.version: 6}, payload: {contains: "\\u0000\\u0001"}}
        action: {icmp: {unreachable: admin}}
        chance: 50 %
      - {name: e, match: {tcp.flags: FIN}, action: fin}
      - {name: f, match: {direction: to-client, payload.length: {in: 100-200}}, action: {rewrite: RST+ACK}}
"""


@given(st.lists(st.binary(max_size=120), max_size=8))
def test_no_bytes_raise(packets: list[bytes]) -> None:
    play = Play(_EVERYTHING)
    for packet in packets:
        assert play.give(packet).verdict in Verdict


@given(st.data())
def test_no_mutation_of_a_real_conversation_raises(data: st.DataObject) -> None:
    play = Play(_EVERYTHING)
    flow = play.connect()
    packets = [
        bytes(flow.to_server(flags="S")),
        bytes(flow.to_server(hello())),
        bytes(flow.to_client(b"x" * 150)),
        bytes(play.connect(dport=80, client="2001:db8:1::1", server="2001:db8:c::5").to_server(get())),
        *map(bytes, pieces(flow.to_server(hello()), 200)),
    ]
    for _ in range(data.draw(st.integers(1, 12))):
        packet = bytearray(data.draw(st.sampled_from(packets)))
        for _ in range(data.draw(st.integers(0, 6))):
            packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(packet)))
        decision = play.give(bytes(packet[:cut]))
        forged_lengths = [len(emission.packet) for emission in decision.injected]
        assert all(20 <= length <= 1500 for length in forged_lengths)


_EVERYTHING = policy(EVERYTHING)


def test_forged_packets_of_a_whole_policy_are_well_formed() -> None:
    play = Play(_EVERYTHING)
    decision = play.connect().send(hello())
    assert dropped(decision)
    assert {str(packet[TCP].flags) for packet in forged(decision)} == {"RA"}


def test_every_fragment_came_in_fragments_the_last_one_too() -> None:
    play = Play("""
        name: no-fragments
        rules: [{name: fragments, match: {ip.fragment: true}, action: drop}]
    """)
    whole = IP(src="10.0.0.1", dst="203.0.113.5", id=7) / UDP(sport=4000, dport=5000) / bytes(2000)
    assert all(dropped(play.give(piece)) for piece in pieces(whole, 800))
    assert passed(play.give(whole))
