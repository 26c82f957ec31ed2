"""What leaves in place of a ClientHello, read by another library; everything else is left alone."""

from __future__ import annotations

from random import Random

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from middlebox.checksum import ipv4_header_ok, transport_ok
from middlebox.packet import view
from testbed.changers import ABOUT, CHANGERS, FAKE_TTL
from testbed.simulate.hellos import make

HELLO = make("chrome131", "blocked.example", Random(1)).record[:1448]
OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (7, 8))]


def _packet(family: int, content: bytes = HELLO) -> bytes:
    segment = TCP(sport=40_000, dport=443, seq=0xFFFF_FFF0, ack=5, flags="PA", window=502, options=OPTIONS)
    head: Packet = IP(src="10.0.0.2", dst="203.0.113.10", id=9, flags="DF") if family == 4 else IPv6(dst="2001:db8::1")
    return bytes(head / segment / Raw(content))


def _read(raw: bytes) -> Packet:
    seen = view(raw)
    assert seen is not None
    assert ipv4_header_ok(seen)
    assert transport_ok(seen)
    return (IP if raw[0] >> 4 == 4 else IPv6)(raw)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("name", "order"), [("split", 1), ("disorder", -1)])
def test_a_hello_is_cut_inside_of_its_name(name: str, order: int, family: int) -> None:
    first, second = [_read(one) for one in CHANGERS[name](_packet(family))][::order]
    contents = [bytes(one[TCP].payload) for one in (first, second)]
    assert b"".join(contents) == HELLO
    assert not any(b"blocked.example" in one for one in contents)
    assert (first[TCP].seq + len(contents[0])) % 2**32 == second[TCP].seq  # numbers begin anew between the two
    assert (str(first[TCP].flags), str(second[TCP].flags)) == ("A", "PA")
    assert first[TCP].options == second[TCP].options == OPTIONS


@pytest.mark.parametrize("family", [4, 6])
def test_a_fake_has_the_hellos_place_and_dies_on_the_way(family: int) -> None:
    raw = _packet(family)
    other, real = CHANGERS["fake"](raw)
    assert real == raw
    made = _read(other)
    assert (made.ttl if family == 4 else made.hlim) == FAKE_TTL
    assert (made[TCP].seq, bytes(made[TCP].payload)) == (0xFFFF_FFF0, bytes(len(HELLO)))


@pytest.mark.parametrize("name", CHANGERS)
@pytest.mark.parametrize(
    "raw",
    [
        _packet(4, b""),
        _packet(4, b"\x16"),
        _packet(4, b"\x17\x03\x03\x00\x05hello"),
        _packet(4, b"\x16\x03\x03\x00\x05\x02ello"),
        b"",
        b"\x45",
    ],
)
def test_all_else_is_left_alone(name: str, raw: bytes) -> None:
    assert CHANGERS[name](raw) == [raw]


def test_a_hello_that_cannot_be_read_is_cut_in_the_middle() -> None:
    first, second = CHANGERS["split"](_packet(4, HELLO[:20]))
    assert (bytes(_read(first)[TCP].payload), bytes(_read(second)[TCP].payload)) == (HELLO[:10], HELLO[10:20])


def test_each_says_what_it_does() -> None:
    assert set(ABOUT) == set(CHANGERS)
