"""What a rule sees of one packet."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from middlebox.dissect import DISSECTORS
from middlebox.dissect.base import Reads
from middlebox.dissect.quic import QuicClient
from middlebox.flow import Flow
from middlebox.looking import Looking, flag_bits, flag_names
from middlebox.match import UNKNOWN, Within
from middlebox.packet import view
from middlebox.verdict import Direction


def look(packet: Packet, direction: Direction = Direction.TO_SERVER) -> Looking:
    seen = view(bytes(packet))
    assert seen is not None
    return Looking(Within([ip_network("10.0.0.0/8")]), seen, None, direction, False)


SEGMENT = IP(src="10.0.0.1", dst="203.0.113.5", ttl=57) / TCP(sport=40000, dport=443, flags="PA") / Raw(b"\x00\xff")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("src.port", 40000),
        ("dst.port", 443),
        ("client.port", 40000),
        ("server.port", 443),
        ("any.port", (40000, 443)),
        ("port.order", "src-above"),
        ("client.ip", ip_address("10.0.0.1").packed),
        ("server.ip", ip_address("203.0.113.5").packed),
        ("ip.version", 4),
        ("ip.ttl", 57),
        ("ip.length", 42),
        ("ip.fragment", False),
        ("transport", "tcp"),
        ("tcp.flags", ("PSH", "ACK")),
        ("payload.length", 2),
        ("payload", "\x00\xff"),
        ("direction", "to-server"),
        ("initiator", "inside"),
    ],
)
def test_the_fields_of_a_segment(field: str, value: object) -> None:
    assert look(SEGMENT).value(field) == value


def datagram(source: int) -> Packet:
    return IP(src="10.0.0.1", dst="203.0.113.5") / UDP(sport=source, dport=443) / Raw(b"x")


def test_roles_turn_with_the_direction_and_ends_do_not() -> None:
    back = look(SEGMENT, Direction.TO_CLIENT)
    assert back.value("src.port") == 40000
    assert back.value("server.port") == 40000
    assert back.value("initiator") == "outside"


def test_what_a_packet_does_not_have_is_absent() -> None:
    ping = look(IP(src="10.0.0.1", dst="203.0.113.5") / ICMP())
    assert ping.value("server.port") is None
    assert ping.value("tcp.flags") is None
    assert ping.value("port.order") is None
    assert ping.value("tls.sni") is None
    assert ping.value("transport") == "icmp"
    assert look(IPv6() / UDP(sport=1, dport=2)).value("tls.sni") is None


def test_a_fact_of_a_flow_that_is_not_read_is_not_known() -> None:
    assert look(SEGMENT).value("tls.sni") is UNKNOWN


@pytest.mark.parametrize(("source", "order"), [(444, "src-above"), (443, "equal"), (442, "src-below")])
def test_ports_have_an_order_whatever_the_direction(source: int, order: str) -> None:
    for direction in Direction:
        assert look(datagram(source), direction).value("port.order") == order


def test_what_a_fact_leaves_open_is_unknown_as_long_as_its_flow_is_followed() -> None:
    packet = datagram(40_000)
    seen = view(bytes(packet))
    assert seen is not None
    flow = Flow(seen.proto, seen.key)
    looking = Looking(Within([]), seen, flow, Direction.TO_SERVER, True)
    follower = DISSECTORS["quic"].follow("udp", Reads())
    assert follower is not None
    flow.following, flow.pending = {"quic": follower}, ("quic",)
    flow.tell("quic", QuicClient(version=1, initial=True, dcid_length=8, hello=None, coming=True))
    assert (looking.value("quic.version"), looking.value("quic.sni")) == ("1", UNKNOWN)
    flow.stop()
    assert (looking.value("quic.version"), looking.value("quic.sni")) == ("1", None)


def test_flags_have_names_both_ways() -> None:
    assert flag_names(0x14) == ("RST", "ACK")
    assert flag_bits("RST+ACK") == 0x14
    assert flag_bits("fin") == 0x01
    with pytest.raises(KeyError):
        flag_bits("NOT")
