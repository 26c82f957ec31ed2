"""The view over a packet, against packets that scapy builds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH
from scapy.packet import Packet, Raw

from middlebox.packet import ACK, ICMPV6, PSH, SYN, PacketView, address_text, view
from middlebox.packet import ICMP as ICMP_NUMBER
from middlebox.packet import TCP as TCP_NUMBER
from middlebox.packet import UDP as UDP_NUMBER

V4 = IP(src="10.0.0.1", dst="203.0.113.5", ttl=61, id=4711)
V6 = IPv6(src="2001:db8::1", dst="2001:db8::5", hlim=61)
SEGMENT = TCP(sport=40000, dport=443, seq=0xFFFFFFF0, ack=77, flags="PA", window=1234)


def seen(packet: Packet | bytes) -> PacketView:
    found = view(bytes(packet))
    assert found is not None
    return found


@pytest.mark.parametrize("network", [V4, V6], ids=["v4", "v6"])
def test_a_tcp_segment_is_read_with_all_its_fields(network: Packet) -> None:
    found = seen(network / SEGMENT / Raw(b"hello"))
    assert found.proto == TCP_NUMBER
    assert (found.src_port, found.dst_port, found.seq, found.ack) == (40000, 443, 0xFFFFFFF0, 77)
    assert found.flags == PSH | ACK
    assert (found.window, found.ttl, found.data_offset) == (1234, 61, 20)
    assert found.payload == b"hello"
    assert found.payload_len == 5
    assert not found.malformed
    assert not found.is_fragment


def test_addresses_and_the_identification_are_read() -> None:
    found = seen(V4 / SEGMENT)
    assert (address_text(found.src), address_text(found.dst), found.ip_id) == ("10.0.0.1", "203.0.113.5", 4711)
    found = seen(V6 / SEGMENT)
    assert (address_text(found.src), address_text(found.dst), found.ip_id) == ("2001:db8::1", "2001:db8::5", 0)


def test_tcp_options_and_ip_options_are_not_payload() -> None:
    packet = IP(src="10.0.0.1", dst="203.0.113.5", options=b"\x01\x01\x01\x01")
    packet /= TCP(flags="S", options=[("MSS", 1460), ("Timestamp", (1, 2))])
    found = seen(packet / Raw(b"fast open"))
    assert found.flags == SYN
    assert found.header_end == 24
    assert found.payload == b"fast open"


@pytest.mark.parametrize("network", [V4, V6], ids=["v4", "v6"])
def test_a_udp_datagram_ends_where_its_own_length_says(network: Packet) -> None:
    found = seen(network / UDP(sport=5353, dport=53) / Raw(b"query"))
    assert (found.proto, found.src_port, found.dst_port, found.payload) == (UDP_NUMBER, 5353, 53, b"query")
    short = seen(network / UDP(sport=5353, dport=53, len=10) / Raw(b"query"))
    assert short.payload == b"qu"
    long = seen(network / UDP(sport=5353, dport=53, len=100) / Raw(b"query"))
    assert long.malformed
    assert long.payload == b"query"


def test_icmp_has_no_ports() -> None:
    found = seen(V4 / ICMP() / Raw(b"ping"))
    assert (found.proto, found.src_port, found.dst_port) == (ICMP_NUMBER, 0, 0)
    assert seen(V6 / ICMPv6EchoRequest()).proto == ICMPV6


def test_padding_of_ethernet_is_not_payload() -> None:
    assert seen(bytes(V4 / SEGMENT) + bytes(6)).payload == b""
    assert seen(bytes(V6 / SEGMENT) + bytes(6)).payload == b""


def test_a_packet_that_was_captured_in_part_ends_where_its_bytes_end() -> None:
    found = seen(bytes(V4 / SEGMENT / Raw(b"x" * 100))[:60])
    assert found.payload == b"x" * 20


def test_a_length_of_zero_is_a_super_packet_captured_before_segmentation() -> None:
    packet = bytearray(bytes(V4 / SEGMENT / Raw(b"x" * 100)))
    packet[2:4] = b"\0\0"
    assert seen(bytes(packet)).payload == b"x" * 100
    packet = bytearray(bytes(V6 / SEGMENT / Raw(b"x" * 100)))
    packet[4:6] = b"\0\0"
    assert seen(bytes(packet)).payload == b"x" * 100


def test_extension_headers_are_walked_to_the_segment() -> None:
    chain = (
        IPv6ExtHdrHopByHop()
        / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrRouting(addresses=["2001:db8::9"])
        / AH(nh=6, payloadlen=4, icv=b"x" * 12)
    )
    found = seen(V6 / chain / SEGMENT / Raw(b"hello"))
    assert found.extension_headers == 4
    assert (found.dst_port, found.payload) == (443, b"hello")


def test_a_chain_of_extension_headers_is_bounded() -> None:
    packet = V6
    for _ in range(9):
        packet = packet / IPv6ExtHdrDestOpt()
    found = seen(packet / SEGMENT)
    assert found.malformed
    assert found.dst_port == 0


def test_fragments_are_told_and_only_the_first_has_ports() -> None:
    first = seen(IP(flags="MF", src="10.0.0.1", dst="10.0.0.2") / UDP(sport=9, dport=53, len=100) / Raw(b"x" * 16))
    assert first.is_fragment
    assert first.more_fragments
    assert (first.src_port, first.malformed) == (9, False)
    later = seen(IP(frag=3, proto=17, src="10.0.0.1", dst="10.0.0.2") / Raw(b"x" * 16))
    assert (later.fragment_offset, later.src_port, later.is_fragment) == (24, 0, True)
    first = seen(V6 / IPv6ExtHdrFragment(m=1, id=99) / UDP(sport=9, dport=53, len=100) / Raw(b"x" * 16))
    assert (first.ip_id, first.more_fragments, first.src_port) == (99, True, 9)
    later = seen(V6 / IPv6ExtHdrFragment(offset=3, nh=17, id=99) / Raw(b"x" * 16))
    assert (later.fragment_offset, later.src_port, later.proto) == (24, 0, UDP_NUMBER)


def test_a_first_fragment_keeps_all_its_bytes_whatever_udp_says() -> None:
    first = seen(IP(flags="MF", src="10.0.0.1", dst="10.0.0.2") / UDP(sport=9, dport=53, len=12) / Raw(b"x" * 16))
    assert first.total == 44


def test_a_fragment_within_a_fragment_is_malformed() -> None:
    found = seen(V6 / IPv6ExtHdrFragment(m=1) / IPv6ExtHdrFragment(m=1) / UDP() / Raw(b"x" * 8))
    assert found.malformed


@pytest.mark.parametrize("offset", [0, 4, 15])
def test_an_impossible_data_offset_is_malformed_but_still_a_view(offset: int) -> None:
    found = seen(V4 / TCP(sport=1, dport=2, flags="PA", dataofs=offset) / Raw(b"hello"))
    assert found.malformed
    assert (found.src_port, found.dst_port, found.data_offset) == (1, 2, offset * 4)


def test_a_cut_tcp_header_has_ports_and_no_payload() -> None:
    found = seen(bytes(V4 / SEGMENT)[:30])
    assert found.malformed
    assert (found.src_port, found.dst_port, found.payload) == (40000, 443, b"")


@pytest.mark.parametrize(
    "raw", [b"", b"\x45", b"E" * 19, b"\x50" + bytes(60), b"\x60" + bytes(30), b"\x41" + bytes(30)]
)
def test_what_is_not_an_ip_packet_is_none(raw: bytes) -> None:
    assert view(raw) is None


@given(st.binary(max_size=200), st.sampled_from([b"\x45", b"\x46", b"\x60"]))
def test_no_bytes_raise_and_no_offset_lies_outside(rest: bytes, first: bytes) -> None:
    raw = first + rest
    found = view(raw)
    if found is not None:
        assert 0 <= found.header_end <= found.total <= len(raw)
        assert 0 <= found.payload_at <= found.total
        assert found.payload_len == len(found.payload)


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 43, 44, 51, 60, 6, 17, 58]), st.binary(min_size=7, max_size=23)), max_size=10
    )
)
def test_no_chain_of_extension_headers_raises(chain: list[tuple[int, bytes]]) -> None:
    body = b"".join(bytes([kind]) + rest for kind, rest in chain)
    raw = bytes(IPv6(nh=chain[0][0] if chain else 0, plen=len(body))) + body
    found = view(raw)
    assert found is not None
    assert 40 <= found.header_end <= found.total <= len(raw)
    assert found.payload_at <= found.total
