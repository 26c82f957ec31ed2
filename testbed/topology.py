"""The network as values: who is there, which links join them, how packets find their way.

Nothing here touches the kernel, so the emulated and the simulated network are built from the same values. The
names of web sites and their addresses are in `sites`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from importlib import import_module
from ipaddress import IPv4Network, IPv6Network
from itertools import pairwise


class Role(Enum):
    """What a node is for."""

    SUBSCRIBER = "subscriber"  #: runs clients; owns a block of addresses, any of which it may send from
    ROUTER = "router"  #: forwards, and shows as one hop
    BOX = "box"  #: a router that hosts a censor
    WEB = "web"  #: serves the sites
    DNS = "dns"  #: answers for the sites' names
    RELAY = "relay"  #: a foreign host for circumvention servers

    @property
    def forwards(self) -> bool:
        return self in (Role.ROUTER, Role.BOX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine; a host (not a router) has an address of its own out of its block."""

    name: str
    role: Role
    ipv4: str = ""  #: a host's first address
    ipv6: str = ""
    block4: IPv4Network | None = None  #: all that is routed to a host
    block6: IPv6Network | None = None
    access: str = ""  #: a subscriber's kind of access link

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 10 or not self.name.isalnum():  # an interface name holds 15: "NAME-eth0"
            raise ValueError(f"node name '{self.name}': 1 to 10 letters and digits are allowed")
        if not self.role.forwards and not (self.ipv4 and self.ipv6 and self.block4 and self.block6):
            raise ValueError(f"node '{self.name}': a host needs an IPv4 and an IPv6 address and their blocks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One direction of a link."""

    rate: float | None = None  #: bit/s of IP packets with their Ethernet header; None: as fast as the machine
    delay: float = 0.0  #: seconds that each packet is under way
    jitter: float = 0.0  #: seconds; the delay varies by up to this much, evenly, to both sides
    loss: float = 0.0  #: share of packets lost at random
    queue: int | None = None  #: packets that wait before the rate; None: 100 ms of it, at least 50
    reorder: bool = False  #: let packets overtake each other when the delay varies

    def __post_init__(self) -> None:
        if self.rate is not None and self.rate < 8_000:
            raise ValueError(f"link rate {self.rate} bit/s: at least 8000 is needed")
        if self.delay < 0 or not 0 <= self.jitter <= self.delay:
            raise ValueError(f"link delay {self.delay} s, jitter {self.jitter} s: 0 <= jitter <= delay is needed")
        if not 0 <= self.loss < 1:
            raise ValueError(f"link loss {self.loss}: a share from 0 up to, not including, 1 is needed")
        if self.queue is not None and self.queue < 1:
            raise ValueError(f"link queue {self.queue}: at least 1 packet is needed")

    @property
    def impaired(self) -> bool:
        """True if packets are delayed or lost, which takes netem or the delay line."""
        return bool(self.delay or self.loss)

    @property
    def queue_packets(self) -> int | None:
        """The length of the queue before the rate; None without a rate."""
        if self.rate is None:
            return None
        return self.queue if self.queue is not None else max(50, round(self.rate * 0.1 / 8 / 1514))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A cable between two nodes."""

    a: str
    b: str
    to_b: Way = Way()
    to_a: Way = Way()
    one_way: bool = False  #: routes use it from `a` to `b` only

    def other(self, name: str) -> str:
        return self.b if name == self.a else self.a


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Nodes and links; packets take the path of fewest links, and of the first link listed among equals."""

    name: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]

    def __post_init__(self) -> None:
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise ValueError(f"topology '{self.name}': two nodes have the same name")
        for link in self.links:
            for end in (link.a, link.b):
                if end not in names:
                    raise ValueError(f"topology '{self.name}': link {link.a}-{link.b}: there is no node '{end}'")
        for node in self.nodes:
            if not node.role.forwards and sum(node.name in (link.a, link.b) for link in self.links) != 1:
                raise ValueError(f"topology '{self.name}': host '{node.name}' needs exactly one link")

    def node(self, name: str) -> Node:
        """Find a node; the error names the nearest name."""
        for node in self.nodes:
            if node.name == name:
                return node
        names = [node.name for node in self.nodes]
        near = get_close_matches(name, names, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no host '{name}' in topology '{self.name}'{hint} (there are: {', '.join(names)})")

    def having(self, role: Role) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.role is role)

    def first_links(self, target: str) -> dict[str, Link]:
        """For each node that can reach `target`, the link on which its packets leave."""
        found: dict[str, Link] = {}
        reached = deque([target])
        while reached:
            here = reached.popleft()
            if here != target and not self.node(here).role.forwards:
                continue
            for link in self.links:
                if here not in (link.a, link.b) or (link.one_way and here == link.a):
                    continue
                before = link.other(here)
                if before != target and before not in found:
                    found[before] = link
                    reached.append(before)
        return found

    def path(self, a: str, b: str) -> tuple[str, ...]:
        """The nodes that a packet from `a` to `b` visits, both ends included."""
        self.node(a), self.node(b)
        links = self.first_links(b)
        names = [a]
        while names[-1] != b:
            if names[-1] not in links:
                raise ValueError(f"topology '{self.name}': no way from '{a}' to '{b}'")
            names.append(links[names[-1]].other(names[-1]))
        return tuple(names)

    def hops(self, a: str, b: str) -> int:
        """How many routers lower the TTL between `a` and `b`: a packet needs a TTL above this to arrive.

        A censor sees a packet after its own box lowered the TTL, as Linux does: it must be above `hops(a, box)` + 1.
        """
        return len(self.path(a, b)) - 2

    def delay(self, a: str, b: str) -> float:
        """Seconds that the links between `a` and `b` take, without queueing."""
        links = self.first_links(b)
        steps = ((name, links[name]) for name in self.path(a, b)[:-1])
        return sum((link.to_b if name == link.a else link.to_a).delay for name, link in steps)


#: kind of access -> (towards the subscriber, from the subscriber); round figures of a home's VDSL, of ADSL2+ and of LTE
ACCESS = {
    "fixed": (Way(rate=100e6, delay=0.004), Way(rate=20e6, delay=0.004)),
    "mobile": (Way(rate=30e6, delay=0.020, jitter=0.004), Way(rate=10e6, delay=0.020, jitter=0.004)),
    "direct": (Way(), Way()),
    "adsl": (Way(rate=10e6, delay=0.008), Way(rate=2e6, delay=0.008)),
}


def subscriber(number: int, access: str) -> Node:
    """The `number`th subscriber, from 1: 1,022 IPv4 addresses and a /64 of IPv6."""
    if access not in ACCESS:
        raise ValueError(f"access '{access}': one of {', '.join(ACCESS)} is expected")
    third = 4 * (number - 1)
    return Node(
        name="client" if number == 1 else f"client{number}",
        role=Role.SUBSCRIBER,
        ipv4=f"10.0.{third}.1",
        ipv6=f"2001:db8:1:{number:x}::1",
        block4=IPv4Network(f"10.0.{third}.0/22"),
        block6=IPv6Network(f"2001:db8:1:{number:x}::/64"),
        access=access,
    )


WEB = Node(
    name="web",
    role=Role.WEB,
    ipv4="203.0.113.1",
    ipv6="2001:db8:203::1",
    block4=IPv4Network("203.0.113.0/24"),
    block6=IPv6Network("2001:db8:203::/64"),
)
DNS = Node(
    name="dns",
    role=Role.DNS,
    ipv4="198.51.100.53",
    ipv6="2001:db8:198::53",
    block4=IPv4Network("198.51.100.0/25"),
    block6=IPv6Network("2001:db8:198::/64"),
)
RELAY = Node(
    name="relay",
    role=Role.RELAY,
    ipv4="198.51.100.200",
    ipv6="2001:db8:198:200::200",
    block4=IPv4Network("198.51.100.128/25"),
    block6=IPv6Network("2001:db8:198:200::/64"),
)


def national(
    *,
    name: str = "national",
    subscribers: int = 2,
    access: Sequence[str] = ("fixed", "mobile"),
    transit: int = 3,
    boxes: Sequence[int] = (1,),
    abroad: Way | None = None,
    asymmetric: bool = False,
    relay: bool = True,
) -> Topology:
    """A country: subscribers, an ISP router, the box, the gateway abroad, transit, servers behind it.

    `boxes`: the place of each box, as the number of routers between it and the subscriber (1: right behind the
    ISP's router; 2: behind the gateway; 3: behind the first transit hop). `access`: the kind of each subscriber's
    link, repeated if there are more subscribers. `abroad`: the long link behind the gateway, both directions
    (15 ms if not given). `asymmetric`: packets to subscribers bypass the box behind the ISP's router.
    """
    if not 1 <= subscribers <= 60:
        raise ValueError(f"{subscribers} subscribers: 1 to 60 are possible")
    if not 0 <= transit <= 30:
        raise ValueError(f"{transit} transit hops: 0 to 30 are possible")
    if not boxes or list(boxes) != sorted(set(boxes)) or boxes[0] < 1 or boxes[-1] > transit + 2:
        raise ValueError(f"boxes at {list(boxes)}: rising places from 1 to {transit + 2} are expected")
    if asymmetric and 1 not in boxes:
        raise ValueError("asymmetric: there is no box behind the ISP's router (place 1) to bypass")
    homes = [subscriber(number, access[(number - 1) % len(access)]) for number in range(1, subscribers + 1)]
    chain: list[Node] = []
    count = 0
    for place, router in enumerate(["isp", "gateway", *(f"transit{n}" for n in range(1, transit + 1))], 1):
        chain.append(Node(name=router, role=Role.ROUTER))
        if place in boxes:
            count += 1
            chain.append(Node(name="box" if count == 1 else f"box{count}", role=Role.BOX))
    servers = [WEB, DNS, *([RELAY] if relay else [])]
    links = [Link(a=home.name, b="isp", to_a=ACCESS[home.access][0], to_b=ACCESS[home.access][1]) for home in homes]
    far = abroad if abroad is not None else Way(delay=0.015)
    for left, right in pairwise(chain):
        long = far if left.name == "gateway" else Way()
        links.append(Link(a=left.name, b=right.name, to_a=long, to_b=long))
    if asymmetric:
        links.append(Link(a="gateway", b="isp", one_way=True))
    long = far if chain[-1].name == "gateway" else Way()
    links += [Link(a=chain[-1].name, b=server.name, to_a=long, to_b=long) for server in servers]
    return Topology(name=name, nodes=(*homes, *chain, *servers), links=tuple(links))


def small() -> Topology:
    """Six nodes and nothing that slows them: up in a moment, for trying a tool and for tests."""
    return national(name="small", subscribers=1, access=("direct",), transit=0, abroad=Way(), relay=False)


#: the topologies that can be asked for by name
SHIPPED: dict[str, Callable[[], Topology]] = {
    "national": national,
    "small": small,
    "adsl": lambda: national(name="adsl", access=("adsl", "mobile")),
    "long": lambda: national(name="long", transit=10),
    "asymmetric": lambda: national(name="asymmetric", asymmetric=True),
    "two-boxes": lambda: national(name="two-boxes", boxes=(1, 2)),
    "many": lambda: national(name="many", subscribers=16, access=("fixed",)),
    "pakistan": lambda: import_module("testbed.pakistan").pakistan(),  # which is made of these parts
}


def shipped(name: str) -> Topology:
    """A topology by its name; raises ValueError with the names that there are."""
    if name not in SHIPPED:
        near = get_close_matches(name, SHIPPED, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no topology '{name}'{hint} (there are: {', '.join(SHIPPED)})")
    return SHIPPED[name]()
