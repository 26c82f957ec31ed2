"""Addresses and routes of a topology's nodes as `ip -batch` texts, and where packets are held.

Nothing here touches the kernel: `network` feeds the texts to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.emulate import links
from testbed.plugs import Plugs
from testbed.topology import Node, Role, Topology, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """One direction of a link whose packets the delay line holds, and the router where it does.

    Never in a host: packets held where they are sent count against the sender's socket (TCP small queues, which
    would then limit the rate), and those held where they are received have been captured already.
    """

    node: str
    side: str  #: "-o": held when they leave this router; "-i": when they come from a host
    interface: str
    queue: int
    way: Way
    name: str  #: the sender's node and interface


def addressing(topology: Topology, plugs: Plugs, node: Node, *, ipv6: bool, congestion: str) -> str:
    """The `ip -batch` of one node: addresses, fixed neighbours, routes.

    `congestion`: the congestion control that the routes of hosts give to connections, "" for the system's own.
    """
    by_route = f" congctl {congestion}" if congestion else ""
    lines = ["link set lo up"]
    mine = {number: plug for (number, owner), plug in plugs.items() if owner == node.name}
    families = [4, 6] if ipv6 else [4]
    for plug in mine.values():
        lines.append(f"link set {plug.interface} up")
    for family in families:
        full = "32" if family == 4 else "128"
        nodad = " nodad" if family == 6 else ""
        for number, plug in mine.items():
            link = topology.links[number]
            peer = plugs[number, link.other(node.name)]
            near, far = (plug.ipv4, peer.ipv4) if family == 4 else (plug.ipv6, peer.ipv6)
            # hosts have only their own address, as behind a provider's access router: so links are unnumbered pairs
            lines.append(f"addr add {near}/{full} dev {plug.interface}{nodad}")
            lines.append(f"neigh replace {far} lladdr {peer.mac} nud permanent dev {plug.interface}")
            lines.append(f"route replace {far}/{full} dev {plug.interface} src {near}")
        if node.role.forwards:
            lines += _router_routes(topology, plugs, node, family)
            continue
        ((number, plug),) = mine.items()
        peer = plugs[number, topology.links[number].other(node.name)]
        gate, source = (peer.ipv4, plug.ipv4) if family == 4 else (peer.ipv6, plug.ipv6)
        every = "0.0.0.0/0" if family == 4 else "::/0"
        lines.append(f"route replace {every} via {gate} dev {plug.interface} onlink src {source}{by_route}")
        block = node.block4 if family == 4 else node.block6
        if node.role is Role.SUBSCRIBER:
            # any address of the block is this subscriber's own: a client may send from a fresh one each time
            lines.append(f"route replace local {block} dev lo")
        else:
            lines.append(f"route replace unreachable {block}")
    return "\n".join(lines) + "\n"


def _router_routes(topology: Topology, plugs: Plugs, node: Node, family: int) -> list[str]:
    """One route for each host's block, and one for each address of another router."""
    lines = []
    own = {(plug.ipv4, plug.ipv6) for (_, owner), plug in plugs.items() if owner == node.name}
    for target in topology.nodes:
        if target.name == node.name:
            continue
        link = topology.first_links(target.name).get(node.name)
        if link is None:
            continue
        number = topology.links.index(link)
        out, peer = plugs[number, node.name], plugs[number, link.other(node.name)]
        source, gate = (out.ipv4, peer.ipv4) if family == 4 else (out.ipv6, peer.ipv6)
        block = target.block4 if family == 4 else target.block6
        wanted = [str(block)] if block is not None else []
        for (_, owner), plug in plugs.items():
            address = plug.ipv4 if family == 4 else plug.ipv6
            if owner == target.name and target.role.forwards and address != gate and (plug.ipv4, plug.ipv6) not in own:
                wanted.append(f"{address}/{32 if family == 4 else 128}")
        lines += [f"route replace {place} via {gate} dev {out.interface} onlink src {source}" for place in wanted]
    return lines


def delays_of(topology: Topology, plugs: Plugs) -> list[Delay]:
    """What the delay line must do on a kernel without netem; raises ValueError for a link between two hosts."""
    found: list[Delay] = []
    for (number, owner), plug in plugs.items():
        if not plug.way.impaired:
            continue
        side, node, interface = "-o", topology.node(owner), plug.interface
        if not node.role.forwards:
            other = topology.links[number].other(owner)
            side, node, interface = "-i", topology.node(other), plugs[number, other].interface
            if not node.role.forwards:
                raise ValueError(f"link {owner}-{other}: a delay between two hosts needs netem, or a router between")
        found.append(
            Delay(
                node=node.name,
                side=side,
                interface=interface,
                queue=links.FIRST_QUEUE + len(found),
                way=plug.way,
                name=f"{owner}/{plug.interface}",
            )
        )
    return found
