"""The ends of a topology's links: interfaces, MACs and addresses, the same in the emulated and the simulated network.

Values only; the topology says which links there are.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.topology import Link, Role, Topology, Way

Plugs = dict[tuple[int, str], "Plug"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """One end of a link."""

    interface: str
    mac: str
    ipv4: str
    ipv6: str
    way: Way  #: how packets fare that leave here


def plugs_of(topology: Topology) -> Plugs:
    """Names and addresses of all link ends: a pair of 10.255/16 for each link in the country, of 192.0.2/24 abroad."""
    ports = dict.fromkeys((node.name for node in topology.nodes), 0)
    plugs = {}
    abroad = 0
    for number, link in enumerate(topology.links):
        pair = f"10.255.{number}."
        if _is_abroad(topology, link) and abroad < 63:
            abroad += 1
            pair = ""
        for side, (name, way) in enumerate([(link.a, link.to_b), (link.b, link.to_a)], 1):
            node = topology.node(name)
            plugs[number, name] = Plug(
                interface=f"{name}-eth{ports[name]}",
                mac=f"02:00:00:00:{number:02x}:{side:02x}",
                ipv4=node.ipv4 or (f"{pair}{side}" if pair else f"192.0.2.{4 * abroad + side}"),
                ipv6=node.ipv6 or f"2001:db8:ff:{number:x}::{side}",
                way=way,
            )
            ports[name] += 1
    return plugs


def _is_abroad(topology: Topology, link: Link) -> bool:
    """True for the links behind the router called `gateway`."""
    clients = [node.name for node in topology.having(Role.SUBSCRIBER)]
    names = [node.name for node in topology.nodes]
    if not clients or "gateway" not in names:
        return False
    behind = [name for name in names if "gateway" in topology.path(clients[0], name)]
    return link.a in behind and link.b in behind
