"""A flow's story: which flow is meant, and what is told of each of its packets."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Packet, Raw

from middlebox.drivers.capture import Captured
from middlebox.verdict import Decision, Direction, Emission, Verdict
from testbed.story import Story, find_flows, same_ends

FLOWS = [
    "tcp 10.0.0.1:40000>203.0.113.5:443",
    "tcp 10.0.0.1:40001>203.0.113.5:443",
    "udp 10.0.0.11:3>203.0.113.53:53",
    "tcp [2001:db8::1]:40000>[2001:db8::5]:80",
    "icmp 10.0.0.1>203.0.113.5",
]
S = 1_000_000_000


@pytest.mark.parametrize(
    ("part", "found"),
    [
        (FLOWS[1], [1]),
        ("40001", [1]),
        ("40000", [0, 3]),
        ("203.0.113.5:443", [0, 1]),
        ("10.0.0.1", [0, 1, 4]),
        ("10.0.0.11", [2]),
        ("[2001:db8::1]:40000", [3]),
        ("2001:DB8::5", [3]),
        ("icmp", [4]),
        ("443", [0, 1]),
        ("2", [1]),
        ("3", [2]),
        ("#3", [2]),
        ("5", [4]),
        ("#5", [4]),
        ("#6", []),
        ("#0", []),
        ("6", []),
        ("0", []),
        ("", []),
        ("nothing", []),
    ],
)
def test_a_flow_is_meant_by_its_text_by_a_part_of_it_or_by_its_number(part: str, found: list[int]) -> None:
    assert find_flows(part, FLOWS) == found


def test_a_port_comes_before_a_number() -> None:
    assert find_flows("3", [*FLOWS[:2], "udp 10.0.0.1:9>203.0.113.5:53", "udp 10.0.0.1:3>203.0.113.5:53"]) == [3]


def test_a_fragment_belongs_to_the_flows_between_its_addresses() -> None:
    fragment = bytes(IP(src="203.0.113.53", dst="10.0.0.11", proto=17, frag=3) / Raw(b"x"))
    assert same_ends(fragment, FLOWS[2])
    assert not same_ends(fragment, FLOWS[0])
    assert not same_ends(fragment, "tcp 10.0.0.11:3>203.0.113.53:53")
    assert not same_ends(bytes(IP(src="203.0.113.53", dst="10.0.0.11") / UDP()), FLOWS[2])
    six = bytes(IPv6(src="2001:db8::1", dst="2001:db8::5") / IPv6ExtHdrFragment(nh=6, offset=3) / Raw(b"x"))
    assert same_ends(six, FLOWS[3])
    assert not same_ends(b"", FLOWS[0])
    assert same_ends(bytes(IP(src="10.0.0.1", dst="203.0.113.5", proto=1, frag=3) / Raw(b"x")), FLOWS[4])


CLIENT = IP(src="10.0.0.1", dst="203.0.113.5", ttl=63)
SERVER = IP(src="203.0.113.5", dst="10.0.0.1", ttl=57)


def told(story: Story, number: int, packet: Packet, *believed: str, **decided: object) -> list[str]:
    values: dict[str, object] = {"verdict": Verdict.PASS, "flow": FLOWS[0], **decided}
    decision = Decision(number=number, t_ns=5 * S + number * 1_000_000, **values)  # type: ignore[arg-type]
    return list(story.tell(Captured(number, decision.t_ns, bytes(packet)), decision, believed))


def test_a_story_counts_from_the_syn_of_each_end_and_says_the_fate() -> None:
    story = Story(FLOWS[0])
    syn = CLIENT / TCP(sport=40000, dport=443, flags="S", seq=0xFFFFFFFF)
    assert told(story, 0, syn, "a new flow") == [
        "packet 0  +0.000000 s  client > server  SYN seq 0, 0 bytes, ttl 63",
        "    a new flow",
        "    -> passes",
    ]
    answer = SERVER / TCP(sport=443, dport=40000, flags="SA", seq=7000, ack=0)
    assert told(story, 1, answer)[0] == ("packet 1  +0.001000 s  server > client  SYN+ACK seq 0 ack 1, 0 bytes, ttl 57")
    reset = bytes(SERVER / TCP(sport=443, dport=40000, flags="RA", seq=7001, ack=1))
    injected = (
        *(Emission(packet=reset, at_ns=0, toward=Direction.TO_CLIENT, injector="one") for _ in range(2)),
        Emission(packet=reset, at_ns=0, toward=Direction.TO_SERVER, injector="two", after_trigger=True),
        Emission(packet=reset, at_ns=5 * S + 3_500_000, toward=Direction.TO_CLIENT, injector="three"),
    )
    data = CLIENT / TCP(sport=40000, dport=443, flags="PA", seq=0, ack=7001) / Raw(b"x")
    reason = "rule 'sni' matches: tls.sni is blocked.example"
    lines = told(story, 2, data, "read as tls", reason, rule="sni", action="reset", reason=reason, injected=injected)
    assert lines == [
        "packet 2  +0.002000 s  client > server  PSH+ACK seq 1 ack 1, 1 byte, ttl 63",
        "    read as tls",
        f"    -> passes (reset): {reason}",
        "    -> injects toward the client (one), at once: RST+ACK seq 1 ack 2, 0 bytes, ttl 57 (2 copies)",
        "    -> injects toward the server (two), right after it: RST+ACK seq 1 ack 2, 0 bytes, ttl 57",
        "    -> injects toward the client (three), 1.5 ms later: RST+ACK seq 1 ack 2, 0 bytes, ttl 57",
    ]


def test_a_story_that_begins_in_the_middle_counts_from_what_was_seen() -> None:
    data = CLIENT / TCP(sport=40000, dport=443, flags="A", seq=500, ack=900) / Raw(b"xx")
    story = Story(FLOWS[0])
    assert "ACK seq 0 ack 1, 2 bytes" in told(story, 0, data)[0]
    assert (
        "ACK seq -10 ack 1, 2 bytes"
        in told(story, 1, CLIENT / TCP(sport=40000, dport=443, flags="A", seq=490, ack=900) / Raw(b"xx"))[0]
    )


def test_each_fate_has_its_words() -> None:
    data = CLIENT / TCP(sport=40000, dport=443, flags="A")
    rewritten = bytes(SERVER / TCP(flags="RA"))
    story = Story(FLOWS[0])
    assert told(story, 0, data, verdict=Verdict.DROP, rule="r", action="drop", reason="why")[-1] == (
        "    -> dropped (drop): rule 'r', why"
    )
    assert told(story, 1, data, verdict=Verdict.HOLD, release_ns=5 * S + 41_000_000)[-1] == "    -> held for 40 ms"
    assert told(story, 2, data, rewritten=rewritten)[-1] == "    -> passes, rewritten into RST+ACK with 0 bytes"


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (CLIENT / UDP(sport=1, dport=2) / Raw(b"abc"), "UDP 3 bytes, ttl 63"),
        (CLIENT / ICMP() / Raw(b"abc"), "ICMP 11 bytes, ttl 63"),
        (IP(src="10.0.0.1", dst="203.0.113.5", proto=47) / Raw(b"abc"), "protocol 47 3 bytes, ttl 64"),
        (IP(src="10.0.0.1", dst="203.0.113.5", proto=6, frag=2) / Raw(b"abc"), "from byte 16 of its datagram, 3 bytes"),
        (IP(src="10.0.0.1", dst="203.0.113.5", flags="MF") / TCP() / Raw(b"abcd"), "4 bytes, ttl 64, first fragment"),
        (CLIENT / TCP(dataofs=15, flags=0), "no flags seq 0, 0 bytes, ttl 63, header malformed"),
    ],
)
def test_each_kind_of_packet_has_its_words(packet: Packet, words: str) -> None:
    assert words in told(Story(FLOWS[0]), 0, packet)[0]


def test_what_is_no_packet_has_no_story() -> None:
    decision = Decision(number=0, t_ns=0, verdict=Verdict.PASS)
    assert list(Story(FLOWS[0]).tell(Captured(0, 0, None), decision, ())) == []
