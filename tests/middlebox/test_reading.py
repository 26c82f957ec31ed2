"""Which dissectors are asked, and when they are not any more."""

from __future__ import annotations

from middlebox.reading import Reader
from tests.middlebox.dialogue import Play, dropped, get, hello, passed, policy

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
