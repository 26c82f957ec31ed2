"""Packets that are made as bytes only when somebody looks."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6

from middlebox.forge import udp
from testbed.simulate.packet import Packet


class _Counted:
    """A body that counts how often it is made into bytes."""

    made = 0
    ends = None

    def encode(self, *, src: bytes, dst: bytes, ttl: int, ip_id: int) -> bytes:
        self.made += 1
        return udp(src=src, dst=dst, sport=1, dport=2, payload=b"hello", ttl=ttl, ip_id=ip_id)


@pytest.mark.parametrize("size", [4, 16])
def test_bytes_are_made_once_and_follow_the_ttl(size: int) -> None:
    body = _Counted()
    packet = Packet(src=b"\1" * size, dst=b"\2" * size, ttl=64, length=33, body=body, ip_id=9)
    packet.ttl -= 3
    assert packet.seen().ttl == 61
    packet.ttl -= 2
    layer = IP if size == 4 else IPv6
    seen = layer(packet.raw)
    assert (seen.ttl if size == 4 else seen.hlim) == 59
    right = layer(packet.raw)
    if size == 4:
        del right.chksum
    del right[UDP].chksum
    assert bytes(right) == packet.raw
    assert body.made == 1


def test_bytes_that_are_no_packet_are_none() -> None:
    assert Packet.of(b"nothing") is None


def test_a_packet_of_bytes_is_those_bytes() -> None:
    raw = bytes(IP(src="192.0.2.1", dst="203.0.113.9", ttl=7, id=99) / UDP(sport=1, dport=2) / b"x")
    packet = Packet.of(raw)
    assert packet is not None
    assert packet.raw == raw
    assert (packet.src, packet.dst, packet.ttl, packet.ip_id) == (b"\xc0\0\2\1", b"\xcb\0\x71\x09", 7, 99)
