"""Its messages have the lengths, the order and the beginnings of those that the real program said."""

from __future__ import annotations

from testbed.simulate.tunnels.openvpn import OpenVpnShape
from tests.testbed.simulate.tunnels.recorded import holds_secrets, lengths, recorded_lengths

SHAPE = OpenVpnShape(1194)


def test_its_handshake_is_the_recorded_one_by_ways_and_lengths() -> None:
    made, real = lengths(SHAPE), recorded_lengths("openvpn-udp")
    assert sorted(made) == sorted(real[: len(made)])  # what is said in one round trip comes in any order


def test_wrapped_packets_are_as_long_as_the_recorded_ones() -> None:
    assert lengths(OpenVpnShape(1194, wrapped=True))[:6] == recorded_lengths("openvpn-tls-crypt")[:6]


def test_packets_go_there_and_back_and_nobody_else_can_read_them() -> None:
    assert holds_secrets(SHAPE)
