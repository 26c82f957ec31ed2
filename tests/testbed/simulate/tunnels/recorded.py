"""The messages of recorded tools, in their order, and what every shape must hold."""

from __future__ import annotations

from pathlib import Path
from random import Random

from middlebox.drivers.capture import read_packets
from middlebox.packet import view
from testbed.simulate.tunnels.shape import DOWN, UP, Shape

RECORDED = Path(__file__).parents[3] / "data" / "vpn"


def messages(name: str) -> list[tuple[bool, bytes]]:
    """Whether the client said it, and its bytes; of one capture's datagrams."""
    found: list[tuple[bool, bytes]] = []
    client = b""
    for packet in read_packets(RECORDED / f"{name}.pcap"):
        seen = view(packet.ip) if packet.ip else None
        if seen is not None and seen.payload:
            client = client or bytes(seen.src)
            found.append((bytes(seen.src) == client, bytes(seen.payload)))
    return found


def lengths(shape: Shape) -> list[tuple[bool, int]]:
    """Of the messages of its handshake, and who says them."""
    return [(one.up, len(one.raw)) for one in shape.converse(Random(1), 0).script]


def recorded_lengths(name: str) -> list[tuple[bool, int]]:
    return [(up, len(raw)) for up, raw in messages(name)]


def holds_secrets(shape: Shape) -> bool:
    """What is sealed is opened by its own session alone, and two seeds share no bytes that are drawn."""
    talk, other = shape.converse(Random(1), 0), shape.converse(Random(2), 1)
    inner = bytes([0x45, 0, 0, 60]) + bytes(range(56))
    for up in (UP, DOWN):
        sealed = talk.seal(up, inner)
        assert inner[20:] not in sealed
        assert talk.open(up, sealed) == inner
        assert other.open(up, sealed) is None
        assert talk.open(up, b"") is None
    assert talk.open(UP, talk.seal(UP, b"")) == b""
    assert talk.script[0].raw != other.script[0].raw
    assert talk.script[0].raw == shape.converse(Random(1), 0).script[0].raw
    return True
