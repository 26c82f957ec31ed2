"""Its messages have the lengths, the order and the beginnings of those that the real program said."""

from __future__ import annotations

from random import Random

from testbed.simulate.tunnels.shape import DOWN, UP
from testbed.simulate.tunnels.wireguard import WireGuardShape
from tests.testbed.simulate.tunnels.recorded import messages

SHAPE = WireGuardShape()


def test_its_handshake_is_the_recorded_one_by_ways_and_lengths() -> None:
    real = messages("wireguard")
    made = [(one.up, len(one.raw)) for one in SHAPE.converse(Random(1), 0).script]
    assert made == [(up, len(raw)) for up, raw in real[: len(made)]]


def test_packets_go_there_and_back_and_nobody_else_can_read_them() -> None:
    talk = SHAPE.converse(Random(1), 0)
    other = SHAPE.converse(Random(2), 1)
    inner = bytes([0x45, 0, 0, 60]) + bytes(range(56))
    for up in (UP, DOWN):
        sealed = talk.seal(up, inner)
        assert inner[20:] not in sealed
        assert talk.open(up, sealed) == inner
        assert other.open(up, sealed) is None
        assert talk.open(up, b"") is None
    assert talk.open(UP, talk.seal(UP, b"")) == b""


def test_two_sessions_share_no_bytes_that_are_drawn() -> None:
    one, other = (SHAPE.converse(Random(seed), 0).script[0].raw for seed in (1, 2))
    assert one != other
    assert SHAPE.converse(Random(1), 0).script[0].raw == one
