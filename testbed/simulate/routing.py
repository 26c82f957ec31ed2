"""Where packets go: the routes of a topology, put together into legs from one stop to the next.

A stop is a host, a box, or the far end of a link that slows; the routers between two stops do nothing to a packet but
lower its TTL, so they cost one subtraction. Nothing moves here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from testbed.plugs import plugs_of
from testbed.topology import Role, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """What a packet crosses from where it leaves to where something happens to it."""

    routers: tuple[str, ...]  #: those that only lower the TTL, in their order
    way: tuple[int, str] | None  #: the slow direction at the leg's end: the link's number and who sends into it
    stop: str
    crosses: int = field(init=False)  #: how many routers

    def __post_init__(self) -> None:
        object.__setattr__(self, "crosses", len(self.routers))


#: the leg of a packet that is where it belongs
HERE = Leg(routers=(), way=None, stop="")


class Routes:
    """The legs of a topology, found by addresses."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._plugs = plugs_of(topology)
        self._owners: dict[str, str] = {}
        self._blocks: list[tuple[IPv4Network | IPv6Network, str]] = []
        for (_, owner), plug in self._plugs.items():
            self._owners |= {plug.ipv4: owner, plug.ipv6: owner}
        for node in topology.nodes:
            self._blocks += [(block, node.name) for block in (node.block4, node.block6) if block is not None]
        self.owner = cache(self._owner)
        self.leg = cache(self._leg)
        self.leg_to = cache(self._leg_to)

    def is_slow(self, number: int, sender: str) -> bool:
        """True if a direction of a link delays, loses or has a rate."""
        way = self._plugs[number, sender].way
        return way.impaired or way.rate is not None

    def _owner(self, address: bytes) -> str | None:
        """The node that packets to this address are led to; None: there is no route."""
        value: IPv4Address | IPv6Address = ip_address(address)
        if str(value) in self._owners:
            return self._owners[str(value)]
        for block, name in self._blocks:
            if value in block:
                return name
        return None

    def _leg(self, node: str, target: str) -> Leg | None:
        """The way from `node` toward the node `target`; None: there is none."""
        topology = self._topology
        links = topology.first_links(target)
        routers: list[str] = []
        here = node
        while True:
            link = links.get(here)
            if link is None:
                return None
            number = topology.links.index(link)
            after = link.other(here)
            if self.is_slow(number, here):
                return Leg(routers=tuple(routers), way=(number, here), stop=after)
            if after == target or topology.node(after).role is not Role.ROUTER:
                return Leg(routers=tuple(routers), way=None, stop=after)
            routers.append(after)
            here = after

    def _leg_to(self, node: str, address: bytes) -> Leg | None:
        """The way from a node toward an address; `HERE` if it is the node's own, None if there is none."""
        target = self.owner(address)
        if target is None:
            return None
        return HERE if target == node else self.leg(node, target)

    def neighbour(self, host: str) -> str:
        """The router that a host sends everything to."""
        return next(link.other(host) for link in self._topology.links if host in (link.a, link.b))

    def own_address(self, node: str, other: bytes) -> bytes | None:
        """The address that a node speaks from to `other`: that of the interface by which it is reached (Linux)."""
        target = self.owner(other)
        link = self._topology.first_links(target).get(node) if target is not None else None
        if link is None:
            return None
        plug = self._plugs[self._topology.links.index(link), node]
        return ip_address(plug.ipv4 if len(other) == 4 else plug.ipv6).packed
