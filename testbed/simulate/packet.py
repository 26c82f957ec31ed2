"""A packet on its way through the simulated network: its header's values, and its bytes when somebody looks.

Two hosts with no box between them hand each other the segment itself, and no byte of a header is ever made. A box, a
capture, a hook or a test that asks for `raw` gets the packet as it would be on the wire, checksums included; the sum of
a full segment is one division of a long number (1.3 us), so nothing is left unsummed to save time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from middlebox.forge import with_ttl
from middlebox.packet import PacketView, view
from testbed.simulate.clock import Clock
from testbed.topology import Node


class Body(Protocol):
    """What a packet carries that was made by a simulated host; `tcp.Segment` is one."""

    def encode(self, *, src: bytes, dst: bytes, ttl: int, ip_id: int) -> bytes:
        """The whole packet from its IP header on."""

    @property
    def ends(self) -> tuple[int, int, int] | None:
        """Source port, destination port and flags of a TCP segment; None for anything else."""


class Packet:
    """One packet; `ttl` is lowered by routers, the rest stays."""

    __slots__ = ("_raw", "body", "dst", "ip_id", "length", "src", "ttl")

    def __init__(self, src: bytes, dst: bytes, ttl: int, length: int, body: Body, ip_id: int = 0) -> None:
        self.src = src  #: 4 or 16 bytes
        self.dst = dst
        self.ttl = ttl
        self.length = length  #: bytes from the IP header on
        self.ip_id = ip_id
        self.body: Body | None = body  #: None: there are only bytes
        self._raw = b""

    @staticmethod
    def of(raw: bytes) -> Packet | None:
        """A packet that was made as bytes; None if they are no IP packet."""
        seen = view(raw)
        if seen is None:
            return None
        packet = Packet.__new__(Packet)
        packet.src, packet.dst, packet.ttl, packet.length = seen.src, seen.dst, seen.ttl, len(raw)
        packet.ip_id = seen.ip_id
        packet.body = None
        packet._raw = raw
        return packet

    @property
    def raw(self) -> bytes:
        """The packet's bytes as it is now."""
        if not self._raw:
            assert self.body is not None
            self._raw = self.body.encode(src=self.src, dst=self.dst, ttl=self.ttl, ip_id=self.ip_id)
        elif self._raw[8 if len(self.src) == 4 else 7] != self.ttl:
            self._raw = with_ttl(self._raw, self.ttl)
        return self._raw

    @property
    def flow(self) -> tuple[tuple[bytes, int, bytes, int], int] | None:
        """The ends and the flags of a TCP segment that a simulated host has made; None for all else."""
        ends = None if self.body is None else self.body.ends
        return None if ends is None else ((self.src, ends[0], self.dst, ends[1]), ends[2])

    def seen(self) -> PacketView:
        """A view over the bytes."""
        found = view(self.raw)
        assert found is not None
        return found


class Attaching(Protocol):
    """What a host is attached to; `testbed.simulate.network.Network` is one."""

    @property
    def clock(self) -> Clock: ...
    @property
    def seed(self) -> int: ...
    def node(self, name: str) -> Node: ...
    def attach(self, name: str, receive: Callable[[Packet], None]) -> None: ...
    def send(self, name: str, packet: Packet) -> None: ...
