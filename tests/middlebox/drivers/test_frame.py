"""The IP packet in a frame of each link type; the frames are scapy's, or written down from the link type's page."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether, Loopback
from scapy.packet import Packet

from middlebox.drivers.frame import ip_of

#: with addresses of its own: without them scapy asks the network for them
ETHERNET = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
FOUR = bytes(IP(src="10.0.0.1", dst="203.0.113.5") / TCP())
SIX = bytes(IPv6(src="2001:db8::1", dst="2001:db8::5") / TCP())


@pytest.mark.parametrize(
    ("head", "linktype"),
    [
        (ETHERNET, 1),
        (ETHERNET / Dot1Q(vlan=5), 1),
        (ETHERNET / Dot1AD(vlan=9) / Dot1Q(vlan=5), 1),
        (Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01", type=0x9100) / Dot1Q(vlan=9) / Dot1Q(vlan=5), 1),
        (CookedLinux(), 113),
        (CookedLinux() / Dot1Q(vlan=5), 113),
        (CookedLinuxV2(), 276),
    ],
    ids=lambda value: value.summary() if isinstance(value, Packet) else str(value),
)
def test_ip_is_found_behind_a_frames_header(head: Packet, linktype: int) -> None:
    assert ip_of(bytes(head / IP(FOUR)), linktype) == FOUR
    assert ip_of(bytes(head / IPv6(SIX)), linktype) == SIX


@pytest.mark.parametrize("linktype", [12, 14, 101, 228, 229])
def test_raw_ip_is_the_frame_itself(linktype: int) -> None:
    assert ip_of(FOUR, linktype) == FOUR
    assert ip_of(SIX, linktype) == SIX
    assert ip_of(b"\x00" + FOUR, linktype) is None
    assert ip_of(b"", linktype) is None


def test_loopback_tells_the_family_in_either_byte_order() -> None:
    assert ip_of(bytes(Loopback() / IP(FOUR)), 0) == FOUR
    for family in (24, 28, 30):
        assert ip_of(family.to_bytes(4, "little") + SIX, 0) == SIX
        assert ip_of(family.to_bytes(4, "big") + SIX, 108) == SIX
    assert ip_of((7).to_bytes(4, "big") + SIX, 108) is None


def test_a_frame_without_ip_has_none() -> None:
    assert ip_of(bytes(ETHERNET / ARP()), 1) is None
    assert ip_of(bytes(ETHERNET / Dot1Q() / ARP()), 1) is None
    assert ip_of(bytes(CookedLinux() / ARP()), 113) is None
    assert ip_of(FOUR, 147) is None


@pytest.mark.parametrize("linktype", [0, 1, 12, 101, 108, 113, 276, 147])
def test_a_cut_frame_has_none(linktype: int) -> None:
    for size in range(4):
        assert ip_of(bytes(ETHERNET / Dot1Q())[:size], linktype) is None
    assert ip_of(bytes(ETHERNET / Dot1Q() / IP(FOUR))[:18], 1) is None
