"""Which TCP a box believes: each switch of the ability, with the evasion that it opens or closes."""

from __future__ import annotations

import pytest
from scapy.layers.inet import TCP

from tests.middlebox.dialogue import Play, dropped, get, hello, passed

RULE = """
    rules:
      - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {drop: flow}}
"""


def box(words: str) -> Play:
    return Play(f"    name: box\n    box: {{{words}}}\n{RULE}")


def halves() -> tuple[bytes, bytes]:
    """A ClientHello cut inside its SNI."""
    text = hello()
    cut = text.index(b"blocked") + 3
    return text[:cut], text[cut:]


@pytest.mark.parametrize(("words", "blocked"), [("", True), ("reassembly: {segments: false}", False)])
def test_two_segments_evade_a_box_that_does_not_join_them(words: str, blocked: bool) -> None:
    flow = box(words).connect()
    first, second = halves()
    assert passed(flow.send(first))
    assert dropped(flow.send(second)) is blocked


@pytest.mark.parametrize(("words", "blocked"), [("", True), ("tcp: {sequence: exact}", False)])
def test_segments_out_of_order(words: str, blocked: bool) -> None:
    play = box(words)
    flow = play.connect()
    first, second = halves()
    play.give(flow.to_server(second, seq=flow.seq + len(first)))
    assert dropped(play.give(flow.to_server(first))) is blocked


@pytest.mark.parametrize(("words", "blocked"), [("", True), ("reassembly: {records: false}", False)])
def test_two_records_evade_a_box_that_does_not_join_them(words: str, blocked: bool) -> None:
    """TLS record fragmentation passes the GFW (Niere et al., CCS 2023)."""
    text = hello()
    body, cut = text[5:], 100
    split = b""
    for part in (body[:cut], body[cut:]):
        split += text[:3] + len(part).to_bytes(2, "big") + part
    assert dropped(box(words).connect().send(split)) is blocked


def test_one_byte_segments_do_not_evade() -> None:
    flow = box("").connect()
    verdicts = [dropped(flow.send(bytes((byte,)))) for byte in hello()]
    assert any(verdicts)


@pytest.mark.parametrize(
    ("words", "blocked"),
    [
        ("tcp: {handshake: syn}", True),
        ("tcp: {handshake: none}", True),
        ("tcp: {handshake: syn-ack}", False),
        ("tcp: {handshake: complete}", False),
    ],
)
def test_a_box_that_wants_the_servers_part_is_blind_without_it(words: str, blocked: bool) -> None:
    from tests.middlebox.dialogue import Connection

    play = box(words)
    flow = Connection(play)
    flow.syn()
    assert dropped(flow.send(hello())) is blocked


@pytest.mark.parametrize(("words", "blocked"), [("", False), ("tcp: {mid_stream: true}", True)])
def test_a_flow_whose_beginning_was_not_seen(words: str, blocked: bool) -> None:
    from tests.middlebox.dialogue import Connection

    assert dropped(Connection(box(words)).send(hello())) is blocked


def test_a_flow_picked_up_from_the_servers_side_knows_who_is_the_client() -> None:
    from tests.middlebox.dialogue import Connection

    play = box("tcp: {mid_stream: true}")
    decision = Connection(play).answer(b"from the middle")
    assert decision.flow == "tcp 10.0.0.1:40000>203.0.113.5:443"


@pytest.mark.parametrize(
    ("words", "blocked"),
    [
        ("", True),  # the number is wrong: not believed
        ("tcp: {end_check: flow}", False),
        ("tcp: {end_effect: ignore}", True),
        ("tcp: {end: [fin]}", True),
    ],
)
def test_a_reset_with_a_wrong_number_before_the_hello(words: str, blocked: bool) -> None:
    play = box(words)
    flow = play.connect()
    assert passed(play.give(flow.to_server(flags="R", seq=flow.seq + 50_000)))
    assert dropped(flow.send(hello())) is blocked


@pytest.mark.parametrize(
    ("words", "blocked"), [("", False), ("minimum_ttl: 5", True), ("tcp: {end_effect: ignore}", True)]
)
def test_a_reset_that_dies_before_the_server(words: str, blocked: bool) -> None:
    """An insertion packet (Ptacek & Newsham 1998): the box believes it, the server never gets it."""
    play = box(words)
    flow = play.connect()
    play.give(flow.to_server(flags="R", ttl=3))
    assert dropped(flow.send(hello())) is blocked


@pytest.mark.parametrize(("words", "blocked"), [("", False), ("checksums: verify", True)])
def test_a_decoy_with_a_bad_checksum(words: str, blocked: bool) -> None:
    play = box(words)
    flow = play.connect()
    decoy = flow.to_server(hello("innocent.example"))
    decoy[TCP].chksum = 0x1234
    play.give(decoy)
    assert dropped(flow.send(hello())) is blocked


@pytest.mark.parametrize(("words", "blocked"), [("", True), ("tcp: {header: plain}", False)])
def test_an_option_hides_the_packet_from_a_box_that_reads_plain_headers(words: str, blocked: bool) -> None:
    """Henan (Wu et al., S&P 2025)."""
    flow = box(words).connect()
    decision = flow.send(hello(), options=(("NOP", None), ("NOP", None), ("Timestamp", (1, 2))))
    assert dropped(decision) is blocked


def test_a_box_that_resynchronises_on_a_second_syn_loses_the_real_stream() -> None:
    for words, blocked in (("", True), ("tcp: {resynchronise: [syn]}", False)):
        play = box(words)
        flow = play.connect()
        play.give(flow.to_server(flags="S", seq=77_777_777))
        assert dropped(flow.send(hello())) is blocked


def test_after_a_reset_the_next_segment_is_believed_where_the_ability_says_so() -> None:
    """GFW's resynchronisation state (Wang et al., IMC 2017)."""
    play = box("tcp: {end: [rst], end_check: flow, end_effect: resynchronise, resynchronise: [data, ack]}")
    flow = play.connect()
    play.give(flow.to_server(flags="R"))
    play.give(flow.to_server(b"junk", seq=flow.seq + 9_999))  # now the box follows this number
    assert passed(flow.send(hello()))


def test_a_new_connection_on_the_same_ports_is_a_new_flow() -> None:
    play = box("")
    flow = play.connect()
    flow.send(hello("innocent.example"))
    play.give(flow.to_server(flags="FA"))
    assert dropped(play.connect(isn=500_000).send(hello()))


def test_a_limit_of_packets_ends_the_reading() -> None:
    play = Play("""
        name: limit
        box: {inspect: {packets: 3}}
        rules:
          - {name: host, match: {http.host: {under: blocked.example}}, action: {drop: flow}}
    """)
    flow = play.connect(dport=80)
    for _ in range(3):
        assert passed(flow.send(get("innocent.example")))
    assert passed(flow.send(get()))


@pytest.mark.parametrize(("size", "blocked"), [(100, True), (101, False)])
def test_junk_of_101_bytes_first_ends_the_inspection(size: int, blocked: bool) -> None:
    """Twitter's throttler, 2021 (Xue et al., IMC 2021): 100 bytes of junk do not evade it."""
    play = Play("""
        name: stranger
        box: {inspect: {stranger: 101 bytes}, reassembly: {segments: false}}
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {drop: flow}}
    """)
    flow = play.connect()
    flow.send(b"\x00" * size)
    assert dropped(flow.send(hello())) is blocked
