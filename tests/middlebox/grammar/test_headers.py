"""Values of headers: TTLs, IP IDs, flags, payloads, addresses, networks."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from middlebox.ability import Draw
from middlebox.grammar.headers import (
    FLAGS,
    IPV4,
    IPV6,
    NETWORK,
    PAYLOAD,
    address,
    flags_text,
    header_number,
)
from middlebox.packet import ACK, FIN, PSH, RST
from tests.middlebox.grammar.reading import read, refusal

TTL = header_number(1, 255, "a TTL")
IP_ID = header_number(0, 65_535, "an IP identification", random=True)


@pytest.mark.parametrize(
    ("text", "draw", "back"),
    [("64", Draw(64, 64), 64), ("55-118", Draw(55, 118), "55-118"), ("mirror", Draw(1, 255, mirror=True), "mirror")],
)
def test_a_ttl_is_fixed_drawn_or_the_triggers_own(text: str, draw: Draw, back: object) -> None:
    assert read(TTL, text) == draw
    assert TTL.text(draw) == back


def test_an_ip_id_may_be_random_and_hexadecimal() -> None:
    assert read(IP_ID, "random") == Draw(0, 65_535)
    assert read(IP_ID, "0x00A3-0xFE5F") == Draw(163, 65_119)
    assert refusal(TTL, "random").found == "'random'"
    assert refusal(TTL, "0").suggestion == "it must lie within 1-255"
    assert refusal(TTL, "118-55").suggestion == "the range is empty; write: 55-118"


def test_flags_are_joined_by_plus() -> None:
    assert read(FLAGS, "RST+ACK") == RST | ACK
    assert read(FLAGS, "FIN + PSH + ACK") == FIN | PSH | ACK
    assert flags_text(RST | PSH | ACK) == "RST+PSH+ACK"
    assert refusal(FLAGS, "rst").suggestion == "write: RST"
    assert "FIN, SYN" in refusal(FLAGS, "RSTACK").suggestion


def test_a_payload_is_text_or_bytes() -> None:
    assert read(PAYLOAD, '"hex:01 02"') == b"\x01\x02"
    assert read(PAYLOAD, "é") == "é".encode()
    assert "pairs of hexadecimal digits" in refusal(PAYLOAD, "hex:0").suggestion


def test_addresses_are_of_their_family() -> None:
    assert read(IPV4, "192.0.2.1") == bytes([192, 0, 2, 1])
    assert len(read(IPV6, "'2001:db8::1'")) == 16
    assert refusal(IPV4, "'2001:db8::1'").suggestion
    assert refusal(IPV4, "192.0.2").expected == "an IPv4 address such as 192.0.2.1"
    assert address("fe80::1%eth0") is None or len(address("fe80::1%eth0") or b"") == 16


def test_a_network_without_host_bits() -> None:
    assert read(NETWORK, "203.0.113.0/24") == ip_network("203.0.113.0/24")
    assert read(NETWORK, "203.0.113.5") == ip_network("203.0.113.5/32")
    assert refusal(NETWORK, "203.0.113.5/24").suggestion == "write: 203.0.113.0/24"
    assert refusal(NETWORK, "here").suggestion == ""
