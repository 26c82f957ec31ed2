"""The inside of a tunnel: a host with an address of its own there, whose packets are handed to the tunnel as bytes."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network

from testbed.simulate.clock import Clock
from testbed.simulate.host import Host
from testbed.simulate.packet import Packet
from testbed.simulate.tcp import Settings
from testbed.topology import Node, Role

#: bytes of the headers of IP and TCP in a packet, without options
_HEADERS = 40


class Inside:
    """A network of one host; what it sends goes to `carry`, and what comes is given to `deliver`."""

    def __init__(self, name: str, address: str, clock: Clock, seed: int, carry: Callable[[bytes], None]) -> None:
        self.clock = clock
        self.seed = seed
        self._carry = carry
        self._receive: Callable[[Packet], None] = lambda packet: None
        six = f"fd00::{address.replace('.', ':')}"  # nothing leads there: tunnels here carry IPv4
        self._node = Node(
            name=name,
            role=Role.SUBSCRIBER,
            ipv4=address,
            ipv6=six,
            block4=IPv4Network(f"{address}/32"),
            block6=IPv6Network(f"{six}/128"),
        )

    def node(self, name: str) -> Node:
        """The host, whatever it is called."""
        return self._node

    def attach(self, name: str, receive: Callable[[Packet], None]) -> None:
        self._receive = receive

    def send(self, name: str, packet: Packet) -> None:
        self._carry(packet.raw)

    def deliver(self, raw: bytes) -> None:
        """Give the host a packet, from its IP header on; what is none is dropped."""
        packet = Packet.of(raw)
        if packet is not None:
            self._receive(packet)


def host_inside(inside: Inside, name: str, settings: Settings, mtu: int) -> Host:
    """The host; `mtu`: bytes of the longest packet that the tunnel takes."""
    from dataclasses import replace

    return Host(inside, name, settings=replace(settings, segment=min(settings.segment, mtu - _HEADERS)))
