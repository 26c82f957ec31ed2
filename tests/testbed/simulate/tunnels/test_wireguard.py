"""Its messages have the lengths, the order and the beginnings of those that the real program said."""

from __future__ import annotations

from testbed.simulate.tunnels.wireguard import WireGuardShape
from tests.testbed.simulate.tunnels.recorded import holds_secrets, lengths, recorded_lengths

SHAPE = WireGuardShape()


def test_its_handshake_is_the_recorded_one_by_ways_and_lengths() -> None:
    made, real = lengths(SHAPE), recorded_lengths("wireguard")
    assert made == real[: len(made)]


def test_packets_go_there_and_back_and_nobody_else_can_read_them() -> None:
    assert holds_secrets(SHAPE)
