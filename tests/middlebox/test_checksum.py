"""Checksums, against the example of RFC 1071 and against scapy's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrRouting
from scapy.packet import Packet, Raw
from scapy.utils import checksum as scapy_checksum

from middlebox.checksum import adjusted, checksum, ipv4_header_ok, transport_checksum, transport_ok
from middlebox.packet import PacketView, view

V4 = IP(src="10.0.0.1", dst="203.0.113.5")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::5")


def seen(packet: Packet | bytes) -> PacketView:
    found = view(bytes(packet))
    assert found is not None
    return found


def test_the_example_of_rfc_1071_section_3_gives_its_sum() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(st.binary(min_size=1, max_size=400))
def test_any_bytes_have_the_checksum_that_scapy_gives_them(data: bytes) -> None:
    assert checksum(data) == scapy_checksum(data)


def test_the_two_zeros_of_ones_complement_are_kept_apart() -> None:
    assert checksum(bytes(8)) == 0xFFFF
    assert checksum(b"\xff\xff") == 0


@pytest.mark.parametrize("network", [V4, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("transport", [TCP(flags="PA"), UDP(dport=53)], ids=["tcp", "udp"])
@pytest.mark.parametrize("payload", [b"", b"odd", b"even", b"\xff" * 1000])
def test_a_right_checksum_is_right_and_any_changed_byte_makes_it_wrong(
    network: Packet, transport: Packet, payload: bytes
) -> None:
    raw = bytes(network / transport / Raw(payload))
    assert transport_ok(seen(raw))
    changed = bytearray(raw)
    changed[-1] ^= 0x10
    if changed[-2:] != b"\0\0":
        assert not transport_ok(seen(bytes(changed)))


def test_icmp_of_both_versions_is_verified() -> None:
    for raw in (bytes(V4 / ICMP() / Raw(b"ping")), bytes(V6 / ICMPv6EchoRequest(data=b"ping"))):
        assert transport_ok(seen(raw))
        assert not transport_ok(seen(raw[:-1] + b"!"))


def test_udp_without_a_checksum_is_right_in_ipv4_and_wrong_in_ipv6() -> None:
    assert transport_ok(seen(V4 / UDP(chksum=0) / Raw(b"x")))
    assert not transport_ok(seen(V6 / UDP(chksum=0) / Raw(b"x")))


def test_what_cannot_be_known_is_not_wrong() -> None:
    assert transport_ok(seen(IP(flags="MF") / UDP(chksum=0x1234, len=99) / Raw(b"x" * 8)))
    assert transport_ok(seen(V6 / IPv6ExtHdrFragment(m=1) / UDP(chksum=0x1234) / Raw(b"x" * 8)))
    assert transport_ok(seen(bytes(V4 / TCP() / Raw(b"x" * 100))[:80]))
    assert transport_ok(seen(V4.copy() / Raw(b"not a known protocol")))


def test_a_cut_header_in_a_whole_packet_is_wrong() -> None:
    assert not transport_ok(seen(IP(proto=6) / Raw(b"x" * 10)))
    assert not transport_ok(seen(IP(proto=17) / Raw(b"x" * 4)))


def test_the_address_at_the_end_of_a_route_is_in_the_sum() -> None:
    route = IPv6ExtHdrRouting(type=0, addresses=["2001:db8::7", "2001:db8::8"], segleft=2)
    assert transport_ok(seen(V6 / IPv6ExtHdrDestOpt() / route / TCP(flags="S")))
    walked = IPv6ExtHdrRouting(type=0, addresses=["2001:db8::7"], segleft=0)
    assert transport_ok(seen(V6 / walked / TCP(flags="S")))


def test_the_ipv4_header_is_verified() -> None:
    assert ipv4_header_ok(seen(V4 / TCP()))
    assert not ipv4_header_ok(seen(IP(src="10.0.0.1", dst="203.0.113.5", chksum=0x1234) / TCP()))
    assert ipv4_header_ok(seen(V6 / TCP()))


@given(st.binary(min_size=20, max_size=20), st.integers(0, 9), st.integers(0, 0xFFFF))
def test_an_adjusted_checksum_is_the_one_made_anew(data: bytes, index: int, word: int) -> None:
    if not any(data):
        return
    new = data[: index * 2] + word.to_bytes(2, "big") + data[index * 2 + 2 :]
    if not any(new):
        return
    old_word = int.from_bytes(data[index * 2 : index * 2 + 2], "big")
    assert adjusted(checksum(data), old_word, word) == checksum(new)


@given(st.binary(min_size=8, max_size=60), st.booleans())
def test_no_packet_raises(rest: bytes, four: bool) -> None:
    found = view((b"\x45" if four else b"\x60") + rest)
    if found is not None:
        assert transport_ok(found) in (True, False)
        assert ipv4_header_ok(found) in (True, False)


def test_a_udp_checksum_of_zero_is_sent_as_all_ones() -> None:
    src, dst = bytes(4), bytes(4)
    body = bytes.fromhex("0000 0000 000a 0000") + (0xFFFF - 17 - 10 - 10).to_bytes(2, "big")
    assert transport_checksum(src, dst, 17, body) == 0xFFFF
    assert transport_checksum(src, dst, 6, body) != 0xFFFF
