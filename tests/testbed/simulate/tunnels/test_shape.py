"""Keys: what one end seals the other opens, in its own direction alone."""

from __future__ import annotations

from random import Random

from testbed.simulate.tunnels.shape import DOWN, UP, Sealing


def test_what_is_sealed_is_opened_by_who_has_the_key_and_is_not_changed_on_its_way() -> None:
    one, other = Sealing(Random(1)), Sealing(Random(1))
    sealed = one.seal(UP, 3, b"inside")
    assert other.open(UP, 3, sealed) == b"inside"
    assert other.open(DOWN, 3, sealed) is None
    assert other.open(UP, 4, sealed) is None
    assert other.open(UP, 3, sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
    assert Sealing(Random(2)).open(UP, 3, sealed) is None


def test_messages_are_numbered_in_each_direction() -> None:
    sealing = Sealing(Random(1))
    assert [sealing.next(UP), sealing.next(UP), sealing.next(DOWN), sealing.next(UP)] == [0, 1, 0, 2]
