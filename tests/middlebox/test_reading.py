"""Which dissectors are asked, and when they are not any more."""

from __future__ import annotations

from scapy.layers.inet import IP, UDP
from scapy.packet import Packet, Raw

from middlebox.dissect.quic import MAX_DATAGRAMS
from middlebox.reading import Reader
from tests.middlebox.dialogue import Play, dropped, get, hello, passed, policy
from tests.middlebox.dissect.quic_made import MANY, flight

TLS_ONLY = """
    name: tls
    rules:
      - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {drop: flow}}
"""


def test_only_what_rules_mention_is_read() -> None:
    reader = Reader(policy(TLS_ONLY))
    assert reader.on_tcp == ("tls",)
    assert reader.on_udp == ()


def test_a_box_that_gives_up_on_strangers_knows_all_protocols() -> None:
    reader = Reader(policy(TLS_ONLY + "    box: {inspect: {stranger: 101 bytes}}\n"))
    assert set(reader.on_tcp) == {"tls", "http", "dns", "openvpn", "ssh"}


def test_what_is_said_of_any_bytes_makes_no_payload_known() -> None:
    """Fully encrypted traffic is judged and stays a stranger: the box gives up on the flow after it."""
    play = Play("""
        name: both
        box: {reassembly: {segments: false}, inspect: {stranger: 101 bytes}}
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {drop: flow}}
          - {name: random, match: {encrypted.random: true}, action: log}
    """)
    for size, evaded in ((100, False), (101, True)):
        flow = play.connect(sport=40_000 + size)
        assert flow.send(b"\x8b" * size).rule == "random"
        assert passed(flow.send(hello())) is evaded


def test_a_flow_of_another_protocol_is_finished_at_once() -> None:
    play = Play(TLS_ONLY)
    flow = play.connect(dport=80)
    assert passed(flow.send(get()))
    assert play.told[-1] == ("read as no protocol that the rules ask about",)
    assert passed(flow.send(hello()))  # what comes later is not looked at


def test_the_servers_words_are_read_only_where_the_box_looks_that_way() -> None:
    for words, blocked in (("", False), ("inspect: {directions: [to-server, to-client]}", True)):
        play = Play(TLS_ONLY + f"    box: {{{words}}}\n")
        flow = play.connect()
        assert dropped(flow.answer(hello())) is blocked


QUIC = """
    name: quic
    rules:
      - {name: banned, match: {quic.sni: {under: blocked.example}}, action: {drop: flow}}
      - {name: others, match: {not: {quic.sni: {under: innocent.example}}, quic.version: "1"}, action: {drop: flow}}
"""


def datagram(payload: bytes, *, back: bool = False, sport: int = 40_000) -> Packet:
    if back:
        return IP(src="203.0.113.5", dst="10.0.0.1") / UDP(sport=443, dport=sport) / Raw(payload)
    return IP(src="10.0.0.1", dst="203.0.113.5") / UDP(sport=sport, dport=443) / Raw(payload)


def test_rules_about_a_name_that_comes_in_two_datagrams_wait_for_the_second() -> None:
    for name, rule in (("www.blocked.example", "banned"), ("innocent.example", ""), ("other.example", "others")):
        play = Play(QUIC)
        one, two = flight(name, MANY)
        assert passed(play.give(datagram(one)))
        assert passed(play.give(datagram(b"an answer", back=True)))
        decision = play.give(datagram(two))
        assert decision.rule == rule
        assert play.censor.counters()["buffered_bytes"] == 0


def test_a_box_that_looks_no_further_takes_a_name_that_has_not_come_for_absent() -> None:
    play = Play(QUIC + "    box: {inspect: {packets: 1}}\n")
    one, two = flight("innocent.example", MANY)
    assert passed(play.give(datagram(one)))
    assert play.censor.counters()["buffered_bytes"] > 0
    assert play.give(datagram(two)).rule == "others"
    assert play.censor.counters()["buffered_bytes"] == 0


def test_a_limit_that_comes_after_all_is_read_does_not_ask_the_rules_again() -> None:
    play = Play(QUIC.replace("{drop: flow}", "log") + "    box: {inspect: {packets: 1}}\n")
    assert play.give(datagram(flight()[0])).rule == "banned"
    assert not play.give(datagram(b"more")).rule


def test_a_flow_that_is_not_quic_is_finished_after_a_few_datagrams() -> None:
    play = Play(QUIC)
    for _ in range(MAX_DATAGRAMS + 1):
        assert passed(play.give(datagram(b"hello")))
    assert passed(play.give(datagram(flight()[0])))


def test_a_byte_limit_ends_the_reading() -> None:
    play = Play("""
        name: limit
        box: {inspect: {bytes: 200 bytes}}
        rules:
          - {name: host, match: {http.host: {under: blocked.example}}, action: {drop: flow}}
    """)
    flow = play.connect(dport=80)
    flow.send(get("innocent.example", "/" + "x" * 150))
    assert passed(flow.send(get()))
