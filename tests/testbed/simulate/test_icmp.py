"""ICMP errors, read back by scapy."""

from __future__ import annotations

import errno

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPerror, UDPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6TimeExceeded, IPv6

from middlebox.packet import view
from testbed.simulate.icmp import error_number, is_error, may_be_answered, no_route, port_unreachable, time_exceeded

FOUR = bytes(IP(src="10.0.0.1", dst="203.0.113.9", ttl=1, id=77) / UDP(sport=1234, dport=53) / (b"q" * 900))
SIX = bytes(IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=1) / UDP(sport=1234, dport=53) / (b"q" * 1_400))


def test_time_exceeded_quotes_the_packet() -> None:
    raw = time_exceeded(FOUR, src=b"\xc0\0\2\1")
    seen = IP(raw)
    assert (seen.src, seen.dst, seen[ICMP].type, seen[ICMP].code) == ("192.0.2.1", "10.0.0.1", 11, 0)
    assert seen[IPerror].id == 77
    assert seen[UDPerror].sport == 1234
    assert len(raw) == 576
    del seen[ICMP].chksum, seen.chksum
    assert bytes(IP(bytes(seen)))[:28] == raw[:28]


def test_time_exceeded_in_ipv6() -> None:
    raw = time_exceeded(SIX, src=b"\x20\x01\x0d\xb8" + bytes(11) + b"\7")
    seen = IPv6(raw)
    assert (seen.src, seen.dst, len(raw)) == ("2001:db8::7", "2001:db8::1", 1_280)
    right = seen[ICMPv6TimeExceeded].cksum
    del seen[ICMPv6TimeExceeded].cksum
    assert IPv6(bytes(seen))[ICMPv6TimeExceeded].cksum == right


def test_a_closed_port_is_said() -> None:
    assert IP(port_unreachable(FOUR, src=b"\xc0\0\2\1"))[ICMP].code == 3
    assert IPv6(port_unreachable(SIX, src=b"\x20" * 16))[ICMPv6DestUnreach].code == 4


@pytest.mark.parametrize(("packet", "may"), [(FOUR, True), (SIX, True), (b"", False)])
def test_what_is_no_error_may_be_answered(packet: bytes, may: bool) -> None:
    assert may_be_answered(packet) is may


def test_errors_and_later_fragments_are_not_answered() -> None:
    assert not may_be_answered(time_exceeded(FOUR, src=b"\xc0\0\2\1"))
    assert not may_be_answered(time_exceeded(SIX, src=b"\x20" * 16))
    assert not may_be_answered(bytes(IP(frag=10) / b"x"))
    assert may_be_answered(bytes(IP() / ICMP(type=8)))


@pytest.mark.parametrize(("original", "src"), [(FOUR, b"\xc0\0\2\1"), (SIX, b"\x20\x01\x0d\xb8" + bytes(11) + b"\7")])
def test_programs_are_told_what_linux_tells_them(original: bytes, src: bytes) -> None:
    told = {time_exceeded: errno.EHOSTUNREACH, no_route: errno.ENETUNREACH, port_unreachable: errno.ECONNREFUSED}
    for answer, number in told.items():
        seen = view(answer(original, src=src))
        assert seen is not None
        assert is_error(seen)
        assert error_number(seen) == number
