"""Pakistan's access networks of 2024 as a topology: two mobile operators, two fixed ones, one national box.

Medians and round figures of what was published; no operator's real topology, and no congestion of its own.
"""

from __future__ import annotations

import dataclasses

from testbed.topology import DNS, RELAY, WEB, Link, Node, Role, Topology, Way, subscriber

#: operator -> access, way to the subscriber, way from it.
#: Rates down: Ookla's medians of the first half of 2024 for Jazz (31.2 Mbit/s) and Zong (28.4); of September 2024 for
#: all fixed lines (15.6, given to PTCL); 20 for Nayatel is assumed, between that and the best fixed median (Transworld,
#: 23.84). Rates up are assumed. Round trips of 60 and 64 ms to the servers: the prior from PTA's drive tests (59.5 to
#: 72 ms) for mobile; 26 and 22 ms for fixed lines are assumed
OPERATORS = {
    "jazz": ("mobile", Way(rate=31.2e6, delay=0.020, jitter=0.004), Way(rate=10e6, delay=0.020, jitter=0.004)),
    "zong": ("mobile", Way(rate=28.4e6, delay=0.022, jitter=0.004), Way(rate=10e6, delay=0.022, jitter=0.004)),
    "ptcl": ("fixed", Way(rate=15.6e6, delay=0.003), Way(rate=4e6, delay=0.003)),
    "nayatel": ("fixed", Way(rate=20e6, delay=0.001), Way(rate=20e6, delay=0.001)),
}


def pakistan() -> Topology:
    """Two mobile and two fixed operators behind one national box; of each a line without a VPN and one with it.

    jazz     --mobile-+
    jazzvpn  --mobile-+- jazzisp ---+
    zong ...            zongisp  ---+
    ptcl ...            ptclisp  ---+-- core -- box -- gateway --10 ms-- transit1 -- web, dns, relay
    nayatel ...         nayaisp  ---+
    """
    homes: list[Node] = []
    links: list[Link] = []
    routers = [Node(name=f"{name[:4]}isp", role=Role.ROUTER) for name in OPERATORS]
    for (name, (access, down, up)), router in zip(OPERATORS.items(), routers, strict=True):
        for called in (name, f"{name}vpn"):
            home = subscriber(len(homes) + 1, access)
            homes.append(dataclasses.replace(home, name=called))
            links.append(Link(a=called, b=router.name, to_a=down, to_b=up))
    core, box = Node(name="core", role=Role.ROUTER), Node(name="box", role=Role.BOX)
    gateway, transit = Node(name="gateway", role=Role.ROUTER), Node(name="transit1", role=Role.ROUTER)
    abroad = Way(delay=0.010)
    links += [Link(a=router.name, b=core.name) for router in routers]
    links += [Link(a="core", b="box"), Link(a="box", b="gateway")]
    links += [Link(a="gateway", b="transit1", to_a=abroad, to_b=abroad)]
    servers = (WEB, DNS, RELAY)
    links += [Link(a="transit1", b=server.name) for server in servers]
    nodes = (*homes, *routers, core, box, gateway, transit, *servers)
    return Topology(name="pakistan", nodes=nodes, links=tuple(links))
