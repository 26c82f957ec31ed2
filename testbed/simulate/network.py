"""The simulated network: a topology's nodes and links, alive in virtual time.

Routers lower the TTL and answer for what has run out, boxes give packets to their censor, hosts get what is theirs.
What a host does with a packet is the business of `host`. A link that neither delays nor loses takes no time, but each
packet reaches a host by an event of its own, so that nobody is answered while he still speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simpy.events import Event

from middlebox.censor import Censor
from middlebox.checksum import ipv4_header_ok
from middlebox.drivers.leaving import Leaving
from middlebox.drivers.log import line
from middlebox.drivers.virtual import Recorder, VirtualBox
from middlebox.policy import Policy
from middlebox.verdict import Decision
from testbed.simulate import icmp
from testbed.simulate.chance import stream
from testbed.simulate.clock import Clock
from testbed.simulate.packet import Packet
from testbed.simulate.pipe import Pipe
from testbed.simulate.routing import HERE, Routes
from testbed.topology import Node, Role, Topology

#: what a machine takes to get a packet from its neighbour: veth pairs and queues of the emulation take 5 to 10 us
WIRE_NS = 5_000

#: told of each packet that a host sends ("out") or gets ("in"): node, direction, time, bytes
Watch = Callable[[str, str, int, bytes], None]


class Network:
    """All nodes of a topology. Hosts register with `attach`, censors with `install`."""

    def __init__(self, topology: Topology, *, seed: int = 0, clock: Clock | None = None) -> None:
        self.topology = topology
        self.seed = seed
        self.clock = Clock() if clock is None else clock
        self.boxes: dict[str, VirtualBox[Packet]] = {}
        self.decisions: list[tuple[str, Decision]] = []  #: what was not simply passed, and the box that said so
        self.unroutable = 0  #: packets that no route led on, or that no router would take
        self._routes = Routes(topology)
        self._leg = self._routes.leg_to
        self._receivers: dict[str, Callable[[Packet], None]] = {}
        self._watches: list[Watch] = []
        self._pipes: dict[tuple[int, str], Pipe] = {}
        for number, link in enumerate(topology.links):
            for sender, way in ((link.a, link.to_b), (link.b, link.to_a)):
                if self._routes.is_slow(number, sender):
                    after = link.other(sender)
                    random = stream(seed, f"link {sender}>{after}")
                    self._pipes[number, sender] = Pipe(self.clock, way, random, partial(self._arrive, after))

    def node(self, name: str) -> Node:
        """A node; raises ValueError with the nearest name."""
        return self.topology.node(name)

    def attach(self, name: str, receive: Callable[[Packet], None]) -> None:
        """Give a host what comes to it. Raises ValueError if it is no host, or is attached already."""
        if self.topology.node(name).role.forwards or name in self._receivers:
            raise ValueError(f"node '{name}' of topology '{self.topology.name}' is no host, or is attached already")
        self._receivers[name] = receive

    def install(
        self,
        name: str,
        policy: Policy,
        *,
        seed: int | None = None,
        capture: Recorder | None = None,
        ask_all: bool = False,
    ) -> VirtualBox[Packet]:
        """Put a censor into a box; its chance comes from the network's seed unless told otherwise.

        `ask_all`: show it every packet, also of flows that it has let go.
        """
        if self.topology.node(name).role is not Role.BOX or name in self.boxes:
            raise ValueError(f"node '{name}' of topology '{self.topology.name}' is no box, or has a censor already")
        clock = self.clock
        box = VirtualBox[Packet](
            Censor(policy, seed=self.seed if seed is None else seed),
            name,
            forward=partial(self._forward, name),
            send=partial(self._send_raw, name),
            clock=lambda: clock.now_ns,
            at=lambda t_ns, call: clock.after(t_ns - clock.now_ns, lambda _: call()),
            log=lambda decision: self.decisions.append((name, decision)),
            capture=capture,
            leaving=None if ask_all else Leaving(policy),
        )
        self.boxes[name] = box
        return box

    def log(self) -> list[bytes]:
        """The decisions as the lines of a live box's log."""
        return [line(decision, name) for name, decision in self.decisions]

    def watch(self, watch: Watch) -> None:
        """Be told of all packets that hosts send and get."""
        self._watches.append(watch)

    def send(self, name: str, packet: Packet) -> None:
        """Send a packet from a host."""
        for watch in self._watches:
            watch(name, "out", self.clock.now_ns, packet.raw)
        if packet.body is None and not ipv4_header_ok(packet.seen()):
            self.unroutable += 1  # the first router drops it without a word (RFC 1812, 5.2.2)
            return
        self._leave(name, packet)

    def hops(self, a: str, b: str) -> int:
        """How many routers lower the TTL between two nodes."""
        return self.topology.hops(a, b)

    def _leave(self, node: str, packet: Packet) -> None:
        """Lead a packet on from a node."""
        leg = self._leg(node, packet.dst)
        if leg is None or leg is HERE:
            self._lead_nowhere(node, packet)
            return
        crossed = leg.crosses
        if packet.ttl <= crossed:
            where = leg.routers[max(packet.ttl, 1) - 1]
            packet.ttl = 1
            self._run_out(where, packet)
            return
        packet.ttl -= crossed
        if leg.way is not None:
            self._pipes[leg.way].carry(packet)
        elif leg.stop in self._receivers:
            self.clock.after(WIRE_NS, self._reach, (leg.stop, packet))
        else:
            self._arrive(leg.stop, packet)

    def _reach(self, event: Event) -> None:
        self._arrive(*event._value)

    def _arrive(self, node: str, packet: Packet) -> None:
        """A packet comes to a stop."""
        receive = self._receivers.get(node)
        if receive is not None:
            for watch in self._watches:
                watch(node, "in", self.clock.now_ns, packet.raw)
            receive(packet)
            return
        if self._leg(node, packet.dst) is HERE:
            return  # a router's own address: nobody is at home
        if packet.ttl <= 1:
            self._run_out(node, packet)
            return
        # a box sees a packet after its TTL was lowered, as the FORWARD hook of Linux does
        packet.ttl -= 1
        box = self.boxes.get(node)
        if box is None:
            self._leave(node, packet)
        else:
            box.take(packet)

    def _forward(self, node: str, packet: Packet, rewritten: bytes | None) -> None:
        """A box lets a packet go on."""
        if rewritten is not None:
            made = Packet.of(rewritten)
            if made is None:
                return
            packet = made
        self._leave(node, packet)

    def _send_raw(self, node: str, raw: bytes) -> None:
        """Send a router's or a box's own packet."""
        packet = Packet.of(raw)
        if packet is not None:
            self._leave(node, packet)

    def _lead_nowhere(self, node: str, packet: Packet) -> None:
        """There is no route: the first router says so, which for a host's packet is its neighbour."""
        self.unroutable += 1
        router = self._routes.neighbour(node) if node in self._receivers else node
        src = self._routes.own_address(router, packet.src)
        if src is not None and icmp.may_be_answered(packet.raw):
            self._send_raw(router, icmp.no_route(packet.raw, src=src))

    def _run_out(self, node: str, packet: Packet) -> None:
        """The TTL is at its end in this node."""
        raw = packet.raw
        src = self._routes.own_address(node, packet.src)
        if src is not None and icmp.may_be_answered(raw):
            self._send_raw(node, icmp.time_exceeded(raw, src=src))
