"""aioquic draws from the seed while it is told to, and from the system before and after."""

from __future__ import annotations

import os
from random import Random

from aioquic import tls
from aioquic.quic import connection, packet
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

from testbed.simulate.quic.chance import QuicChance
from tests.testbed.simulate.quic.asking import packets


def _drawn(seed: int) -> tuple[bytes, ...]:
    with QuicChance(Random(seed)):
        return (
            connection.os.urandom(8),  # type: ignore[attr-defined]
            tls.x25519.X25519PrivateKey.generate().private_bytes_raw(),  # type: ignore[attr-defined]
            tls.x448.X448PrivateKey.generate().private_bytes_raw(),  # type: ignore[attr-defined]
            str(tls.ec.generate_private_key(ec.SECP384R1()).private_numbers().private_value).encode(),  # type: ignore[attr-defined]
        )


def test_what_is_drawn_follows_from_the_seed() -> None:
    assert _drawn(1) == _drawn(1)
    assert not set(_drawn(1)) & set(_drawn(2))


def test_afterwards_all_is_as_it_was() -> None:
    for leaves in (lambda: None, lambda: 1 / 0):
        try:
            with QuicChance(Random(1)):
                assert connection.os is not os  # type: ignore[attr-defined]
                leaves()
        except ZeroDivisionError:
            pass
        assert {connection.os, packet.os, tls.os} == {os}  # type: ignore[attr-defined]
        assert (tls.ec, tls.x25519, tls.x448) == (ec, x25519, x448)  # type: ignore[attr-defined]


def test_a_conversation_is_the_same_to_the_byte() -> None:
    assert packets(1) == packets(1)
    assert packets(1) != packets(2)
