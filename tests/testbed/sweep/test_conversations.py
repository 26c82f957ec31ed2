"""Conversations, read back by another library."""

from __future__ import annotations

import pytest
from scapy.layers.dns import DNS
from scapy.layers.inet import IP, TCP, UDP

from middlebox.censor import Censor
from testbed.sweep.conversations import CONVERSATIONS, Talk, packets
from tests.middlebox.dialogue import policy


@pytest.mark.parametrize("workload", list(CONVERSATIONS))
def test_scapy_reads_every_packet_and_finds_its_checksums_right(workload: str) -> None:
    found = packets(workload, Talk())
    assert [one.number for one in found] == list(range(len(found)))
    times = [one.t_ns for one in found]
    assert times == sorted(times)
    for one in found:
        assert one.ip is not None
        fresh = IP(one.ip)
        layer = UDP if UDP in fresh else TCP
        del fresh[IP].chksum, fresh[layer].chksum
        assert bytes(fresh) == one.ip


def test_a_connection_begins_and_ends_and_its_numbers_add_up() -> None:
    segments = [IP(one.ip or b"")[TCP] for one in packets("tls-download", Talk(content=3_000, segment=1_000))]
    assert [str(one.flags) for one in segments[:3]] == ["S", "SA", "A"]
    assert [str(one.flags) for one in segments[-3:]] == ["FA", "FA", "A"]
    sent = {40_000: 1_001, 443: 9_001}
    for one in segments[2:]:
        assert one.seq == sent[one.sport]
        sent[one.sport] += len(bytes(one.payload)) + ("F" in str(one.flags))
    assert segments[-1].ack == sent[443]
    assert sum(len(bytes(one.payload)) for one in segments if one.sport == 443) == 3_000 + 180


def test_the_server_sends_at_the_rate_it_is_told_to() -> None:
    slow = packets("tls-download", Talk(content=100_000, offered=10_000, rtt_ns=0))
    assert (slow[-1].t_ns - slow[0].t_ns) / 1e9 == pytest.approx(10, rel=0.01)


def test_a_round_trip_lies_between_question_and_answer() -> None:
    found = packets("dns-query", Talk(rtt_ns=70_000_000))
    assert found[1].t_ns - found[0].t_ns == 70_000_000
    assert IP(found[1].ip or b"")[DNS].an[0].rdata == "203.0.113.5"


@pytest.mark.parametrize(
    ("workload", "field"), [("tls-hello", "tls.sni"), ("http-get", "http.host"), ("dns-query", "dns.name")]
)
@pytest.mark.parametrize("segment", [1_400, 20])
def test_the_censor_reads_the_name_also_out_of_small_segments(workload: str, field: str, segment: int) -> None:
    censor = Censor(
        policy(f"""\
            name: reads
            lists: {{banned: [blocked.example]}}
            rules: [{{name: r, match: {{{field}: {{under: banned}}}}, action: {{drop: packet}}}}]
            """)
    )
    for host, struck in (("www.blocked.example", True), ("innocent.example", False)):
        talk = Talk(host=host, segment=segment)
        rules = {censor.decide(one.ip or b"", one.t_ns).rule for one in packets(workload, talk)}
        assert ("r" in rules) is struck
        censor = Censor(censor.policy)
