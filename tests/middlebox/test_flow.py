"""One flow: who is its client, and what it is called."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet

from middlebox.flow import flow_text, looks_like_an_answer
from middlebox.packet import PacketView, view


def seen(packet: Packet) -> PacketView:
    found = view(bytes(packet))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        (IP() / TCP(sport=40000, dport=443, flags="S"), False),
        (IP() / TCP(sport=443, dport=40000, flags="SA"), True),
        (IP() / TCP(sport=443, dport=40000, flags="PA"), True),
        (IP() / TCP(sport=40000, dport=443, flags="PA"), False),
        (IP() / TCP(sport=8443, dport=40000, flags="PA"), False),
        (IP() / UDP(sport=53, dport=5353), True),
        (IP() / ICMP(), False),
    ],
)
def test_who_answers_is_guessed_by_flags_then_by_well_known_ports(packet: Packet, answer: bool) -> None:
    assert looks_like_an_answer(seen(packet)) is answer


def test_a_flow_has_a_text_that_tells_its_ends() -> None:
    four, six = bytes((192, 0, 2, 1)), bytes.fromhex("20010db8000000000000000000000001")
    assert flow_text(6, four, 1, four, 2) == "tcp 192.0.2.1:1>192.0.2.1:2"
    assert flow_text(17, six, 1, six, 2) == "udp [2001:db8::1]:1>[2001:db8::1]:2"
    assert flow_text(58, six, 0, six, 0) == "icmp 2001:db8::1>2001:db8::1"
    assert flow_text(47, four, 0, four, 0) == "ip-47 192.0.2.1>192.0.2.1"
