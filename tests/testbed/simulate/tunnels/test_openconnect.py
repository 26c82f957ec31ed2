"""Its messages have the lengths, the order and the beginnings of those that the real program said."""

from __future__ import annotations

from testbed.simulate.tunnels.openconnect import OpenConnectShape
from tests.testbed.simulate.tunnels.recorded import holds_secrets, lengths, recorded_lengths

SHAPE = OpenConnectShape()


def test_its_handshake_is_the_recorded_one_by_ways_and_lengths() -> None:
    made, real = lengths(SHAPE), recorded_lengths("anyconnect")
    assert made == real[: len(made)]


def test_packets_go_there_and_back_and_nobody_else_can_read_them() -> None:
    assert holds_secrets(SHAPE)
