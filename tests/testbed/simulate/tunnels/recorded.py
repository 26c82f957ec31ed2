"""The messages of recorded tools, in their order."""

from __future__ import annotations

from pathlib import Path

from middlebox.drivers.capture import read_packets
from middlebox.packet import view

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
