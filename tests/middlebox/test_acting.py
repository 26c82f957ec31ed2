"""The packets that a box makes up: numbers, header values, times, as scapy reads them."""

from __future__ import annotations

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.packet import Raw

from middlebox.verdict import Direction
from tests.middlebox.dialogue import MS, Play, dropped, forged, get, hello

GFW = """
    name: three
    box:
      placement: on-path
      reaction: 2 ms
      injectors:
        one: {flags: RST, ttl: 55-118, ip_id: 0, df: false}
        two: {flags: RST+ACK, copies: 3, ttl: 39-238, ip_id: 163-65119, df: true}
        three: {flags: RST+ACK, ttl: 248, ip_id: 39190-39219, reaction: 1 ms}
    rules:
      - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {reset: {injectors: [one, two, three]}}}
"""


def test_three_injectors_send_what_was_published_of_each() -> None:
    """Wu et al., S&P 2025, table of the three: counts, flags, TTL, IP ID, DF, to both ends."""
    play = Play(GFW)
    decision = play.connect().send(hello())
    packets = list(zip(decision.injected, forged(decision), strict=True))
    for toward in Direction:
        of = {
            name: [packet for emission, packet in packets if emission.toward is toward and emission.injector == name]
            for name in ("one", "two", "three")
        }
        assert [len(of[name]) for name in ("one", "two", "three")] == [1, 3, 1]
        assert of["one"][0][TCP].flags == "R"
        assert of["one"][0][IP].id == 0
        assert not of["one"][0][IP].flags.DF
        assert 55 <= of["one"][0].ttl <= 118
        assert all(packet[TCP].flags == "RA" and packet[IP].flags.DF for packet in of["two"])
        assert len({bytes(packet) for packet in of["two"]}) == 1
        assert of["three"][0].ttl == 248
        assert 39190 <= of["three"][0].id <= 39219


def test_an_injector_has_its_own_reaction_and_the_others_that_of_the_box() -> None:
    play = Play(GFW)
    decision = play.connect().send(hello())
    times = {emission.injector: emission.at_ns - decision.t_ns for emission in decision.injected}
    assert times == {"one": 2 * MS, "two": 2 * MS, "three": 1 * MS}
    assert play.censor.due(decision.t_ns) == []
    early = play.censor.due(decision.t_ns + 1 * MS)
    assert {emission.injector for emission in early} == {"three"}
    assert len(play.censor.due(decision.t_ns + 2 * MS)) == 8
    assert play.censor.next_due() is None


def test_a_reset_carries_the_number_that_its_receiver_expects() -> None:
    play = Play(GFW)
    flow = play.connect(isn=2**32 - 100)
    text = hello()
    decision = flow.send(text)
    for emission, packet in zip(decision.injected, forged(decision), strict=True):
        if emission.toward is Direction.TO_CLIENT:
            assert (packet[IP].src, packet[TCP].sport) == ("203.0.113.5", 443)
            assert packet[TCP].seq == flow.peer
            assert packet[TCP].ack in (0, flow.seq % 2**32)
            assert not emission.after_trigger
        else:
            assert (packet[IP].src, packet[TCP].sport) == ("10.0.0.1", 40000)
            assert packet[TCP].seq == flow.seq % 2**32  # the trigger passes: the reset follows it
            assert emission.after_trigger


def test_a_reset_for_a_dropped_trigger_takes_the_triggers_place() -> None:
    play = Play("""
        name: both
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: [{reset: {toward: both}}, drop]}
    """)
    flow = play.connect()
    start = flow.seq
    decision = flow.send(hello())
    assert dropped(decision)
    to_server = [one for one in decision.injected if one.toward is Direction.TO_SERVER]
    assert [IP(one.packet)[TCP].seq for one in to_server] == [start]
    assert not to_server[0].after_trigger


def test_offsets_make_a_series_and_the_payload_and_window_are_as_said() -> None:
    """Clayton et al., PET 2006: base, base + 1460, base + 4380; Henan's ten bytes (Wu et al., S&P 2025)."""
    play = Play("""
        name: series
        box:
          placement: on-path
          injectors:
            series:
              {flags: RST+ACK, toward: client, sequence: [0, 1460, 4380], window: 77,
               payload: "hex:01020304050607080900"}
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {reset: {injectors: [series]}}}
    """)
    flow = play.connect()
    packets = forged(flow.send(hello()))
    assert [packet[TCP].seq - flow.peer for packet in packets] == [0, 1460, 4380]
    assert all(packet[TCP].window == 77 for packet in packets)
    assert all(bytes(packet[Raw]) == bytes.fromhex("01020304050607080900") for packet in packets)


def test_zero_numbers_and_a_mirrored_ttl() -> None:
    """Turkmenistan: seq 0, window 0, IP ID 30000 (WWW 2023); a GFW DNS injector mirrors the query's TTL."""
    play = Play("""
        name: tm
        box:
          placement: on-path
          injectors:
            tm: {flags: RST, toward: client, ip_id: 30000, ttl: mirror, sequence_numbers: zero}
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: {reset: {injectors: [tm]}}}
    """)
    (packet,) = forged(play.connect().send(hello(), ttl=9))
    assert (packet[TCP].seq, packet[TCP].ack, packet[IP].id, packet[IP].ttl) == (0, 0, 30000, 9)


def test_a_fin_closes_instead_of_resetting() -> None:
    play = Play("""
        name: fin
        rules:
          - {name: sni, match: {tls.sni: {under: blocked.example}}, action: [fin, {drop: flow}]}
    """)
    packets = forged(play.connect().send(hello()))
    assert {str(packet[TCP].flags) for packet in packets} == {"FA"}


def test_ipv6_is_answered_in_ipv6() -> None:
    play = Play(GFW)
    decision = play.connect(client="2001:db8:1::1", server="2001:db8:c::5").send(hello())
    packets = forged(decision)
    assert len(packets) == 10
    assert all(isinstance(packet, IPv6) for packet in packets)


def test_the_servers_packet_is_rewritten_into_a_reset() -> None:
    """TSPU, SNI-I: the ClientHello passes, the answer becomes RST+ACK with its own TTL and numbers (IMC 2022)."""
    play = Play("""
        name: tspu
        rules:
          - {name: sni, match: {initiator: inside, tls.sni: {under: blocked.example}}, action: rewrite}
    """)
    flow = play.connect()
    decision = flow.send(hello())
    assert decision.rewritten is None
    assert not dropped(decision)
    number = flow.peer
    decision = flow.answer(b"ServerHello", ttl=57)
    assert decision.rewritten is not None
    packet = IP(decision.rewritten)
    assert (packet[TCP].flags, packet.ttl, packet[TCP].seq) == ("RA", 57, number)
    assert not bytes(packet[TCP].payload)
    assert packet[IP].src == "203.0.113.5"


DNS_POLICY = """
    name: dns
    box: {placement: on-path}
    rules:
      - name: name
        match: {dns.name: {under: blocked.example}}
        action: {dns: {a: [192.0.2.66], aaaa: ["2001:db8:bad::1"], answer_ttl: 300 s}}
"""


@pytest.mark.parametrize(("kind", "address"), [("A", "192.0.2.66"), ("AAAA", "2001:db8:bad::1")])
def test_a_query_is_answered_in_the_resolvers_name(kind: str, address: str) -> None:
    play = Play(DNS_POLICY)
    decision = play.ask("www.blocked.example", kind)
    (packet,) = forged(decision)
    answer = packet[DNS]
    assert (packet[IP].src, packet[UDP].sport, packet[UDP].dport) == ("203.0.113.53", 53, 5353)
    assert (answer.id, answer.qr, answer.ancount, answer.rcode) == (0x1234, 1, 1, 0)
    assert answer.qd[0].qname == b"www.blocked.example."
    assert (answer.an[0].rrname, answer.an[0].rdata, answer.an[0].ttl) == (b"www.blocked.example.", address, 300)


def test_a_query_of_another_type_or_name_is_left_alone() -> None:
    play = Play(DNS_POLICY)
    assert not play.ask("blocked.example", "TXT").injected
    assert not play.ask("innocent.example").injected


def test_nxdomain_and_racing_injectors() -> None:
    play = Play("""
        name: dns
        box:
          placement: on-path
          dns_injectors:
            slow: {a: [192.0.2.1], reaction: 3 ms, ttl: mirror}
            fast: {nxdomain: true, reaction: 1 ms, copies: 2}
        rules:
          - {name: name, match: {dns.name: {under: blocked.example}}, action: {dns: {injectors: [slow, fast]}}}
    """)
    decision = play.ask("blocked.example", ttl=13)
    assert [(one.injector, one.at_ns - decision.t_ns) for one in decision.injected] == [
        ("fast", 1 * MS),
        ("fast", 1 * MS),
        ("slow", 3 * MS),
    ]
    packets = forged(decision)
    assert [packet[DNS].rcode for packet in packets] == [3, 3, 0]
    assert packets[2].ttl == 13


def test_a_query_over_tcp_is_answered_in_the_stream() -> None:
    play = Play(DNS_POLICY)
    flow = play.connect(server="203.0.113.53", dport=53)
    message = bytes(DNS(id=7, rd=1, qd=DNSQR(qname="blocked.example")))
    decision = flow.send(len(message).to_bytes(2, "big") + message)
    (packet,) = forged(decision)
    payload = bytes(packet[TCP].payload)
    assert int.from_bytes(payload[:2], "big") == len(payload) - 2
    assert DNS(payload[2:]).an[0].rdata == "192.0.2.66"
    assert (packet[TCP].seq, packet[TCP].ack) == (flow.peer, flow.seq)


def test_a_block_page_and_a_redirect() -> None:
    play = Play("""
        name: page
        rules:
          - name: page
            match: {http.host: {under: blocked.example}}
            action: [{http: {status: 403, body: "not here"}}, {drop: flow}]
          - name: away
            match: {http.host: {under: other.example}}
            action: [{http: {redirect: "http://192.0.2.9/"}}, {drop: flow}]
    """)
    flow = play.connect(dport=80)
    (packet,) = forged(flow.send(get()))
    text = bytes(packet[TCP].payload)
    assert text.startswith(b"HTTP/1.1 403 ")
    assert text.endswith(b"\r\n\r\nnot here")
    assert packet[TCP].flags == "FPA"
    (packet,) = forged(play.connect(dport=80, sport=40001).send(get("other.example")))
    assert b"\r\nLocation: http://192.0.2.9/\r\n" in bytes(packet[TCP].payload)


def test_a_long_block_page_comes_in_segments_that_join() -> None:
    play = Play(f"""
        name: page
        rules:
          - name: page
            match: {{http.host: {{under: blocked.example}}}}
            action: [{{http: {{status: 200, body: "{"long " * 1000}"}}}}, drop]
    """)
    flow = play.connect(dport=80)
    packets = forged(flow.send(get()))
    assert len(packets) > 3
    at = flow.peer
    for packet in packets:
        assert packet[TCP].seq == at
        at += len(packet[TCP].payload)
    assert [("F" in str(packet[TCP].flags)) for packet in packets] == [False] * (len(packets) - 1) + [True]


@pytest.mark.parametrize(("word", "code4", "code6"), [("port", 3, 4), ("host", 1, 3), ("admin", 13, 1)])
def test_icmp_says_unreachable(word: str, code4: int, code6: int) -> None:
    """RFC 792 and 1812 for version 4, RFC 4443 for version 6."""
    play = Play(f"""
        name: icmp
        rules:
          - {{name: host, match: {{server.port: 443}}, action: [{{icmp: {{unreachable: {word}}}}}, drop]}}
    """)
    flow = play.connect()
    decision = play.decisions[0]
    (packet,) = forged(decision)
    assert (packet[ICMP].type, packet[ICMP].code, packet[IP].dst) == (3, code4, "10.0.0.1")
    assert bytes(flow.to_server(flags="S", seq=1000))[:28] in bytes(packet[ICMP].payload) or packet[ICMP].payload
    play.decisions.clear()
    play.connect(client="2001:db8:1::1", server="2001:db8:c::5")
    (packet,) = forged(play.decisions[0])
    assert packet[ICMPv6DestUnreach].code == code6
