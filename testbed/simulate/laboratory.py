"""A simulated lab: a topology with its servers, a censor in its box, and the first subscriber, all in virtual time.

    lab = SimulatedLab("sni-drop", seed=7)
    (page,) = lab.run(lab.browser.fetch("blocked.example"))
    print(page.failure, lab.log())

It measures and judges nothing. The sites, their addresses and what they answer are those of the emulated lab.
"""

from __future__ import annotations

import ssl
from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from simpy.events import Event

from middlebox.policy import Policy
from testbed import sites as sites_of
from testbed.addresses import Addresses
from testbed.simulate.certificates import authority_pem
from testbed.simulate.chance import stream
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.datagrams import Socket
from testbed.simulate.entropy import Entropy
from testbed.simulate.fetch import Browser
from testbed.simulate.host import Host
from testbed.simulate.names import serve_names
from testbed.simulate.network import Network
from testbed.simulate.recording import Recording
from testbed.simulate.relay import SimulatedRelay
from testbed.simulate.tcp import Settings
from testbed.simulate.tls import client_context
from testbed.simulate.web import HTTPS, Web
from testbed.sites import Site
from testbed.topology import Role, Topology, shipped

#: a shipped name, a path, or a policy that has been loaded; None: the box only forwards
PolicyLike: TypeAlias = str | Path | Policy | None

#: TCP as on the emulated lab's hosts
WIRE = Settings(offload=False)


class SimulatedLab:
    """A lab; `run` lets its time pass.

    `policy`: a shipped name, a path, a Policy, or a mapping from box to one of these; None for a control run. `sites`:
    host names to serve beside the default ones. `out`: the run folder, in which captures and decisions are kept by
    `stop`, or at the end of `with`; None keeps decisions in memory alone. `settings`: how the TCP of all hosts behaves;
    as in the emulated lab, where packets are those of a wire, without segmentation offload. `brief`: of what is kept,
    leave out what hosts see, and packets of flows that the box has let go, as the kernel does before a live box.
    """

    def __init__(
        self,
        policy: PolicyLike | Mapping[str, PolicyLike] = None,
        topology: str | Topology | None = None,
        sites: Iterable[str] = (),
        seed: int = 0,
        out: str | Path | None = None,
        *,
        settings: Settings = WIRE,
        brief: bool = False,
    ) -> None:
        self.topology = topology if isinstance(topology, Topology) else shipped(topology or "national")
        self.seed = seed
        self.sites = sites_of.place(sites)
        self.network = Network(self.topology, seed=seed)
        self.clock = self.network.clock
        self.recording = Recording(Path(out), self.network, hosts=not brief) if out is not None else None
        self._hosts: dict[str, Host] = {}
        boxes = [node.name for node in self.topology.having(Role.BOX)]
        told = policy if isinstance(policy, Mapping) else dict.fromkeys(boxes, policy)
        for name, one in told.items():
            loaded = Policy.load(one) if isinstance(one, (str, Path)) else one
            if loaded is not None:
                capture = self.recording.of_box(name, loaded, seed) if self.recording else None
                self.network.install(name, loaded, capture=capture, ask_all=capture is not None and not brief)
        for node in self.topology.nodes:
            if not node.role.forwards:
                self._hosts[node.name] = Host(self.network, node.name, settings=settings)
        self.entropy = Entropy(stream(seed, "tls"))
        web, dns = self.topology.having(Role.WEB), self.topology.having(Role.DNS)
        for node in web:
            made = Web(self._hosts[node.name], self.sites, self.entropy)
            serve_quic(self._hosts[node.name], made, self.sites, seed)
            for address in made.names:
                SimulatedRelay(self._hosts[node.name], address, stream(seed, f"relay {address}"))
        for node in dns:
            serve_names(self._hosts[node.name], self.sites)
        self.resolver = dns[0].ipv4 if dns else ""
        self._context = client_context(authority_pem(), self.entropy)
        self._browsers: dict[str, Browser] = {}

    def stop(self) -> None:
        """Write what is to be kept; a lab needs no other end, and time may still pass."""
        if self.recording is not None:
            self.recording.close()

    def __enter__(self) -> SimulatedLab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def host(self, name: str) -> Host:
        """A host; raises ValueError with the nearest name."""
        self.topology.node(name)
        if name not in self._hosts:
            raise ValueError(f"node '{name}' of topology '{self.topology.name}' is a router, and runs nothing")
        return self._hosts[name]

    @property
    def boxes(self) -> list[str]:
        """The boxes that have a censor."""
        return list(self.network.boxes)

    @property
    def client(self) -> Host:
        """The first subscriber."""
        return self._hosts[self.topology.having(Role.SUBSCRIBER)[0].name]

    @property
    def browser(self) -> Browser:
        """What fetches pages from the first subscriber."""
        return self.browser_of(self.client.name)

    def browser_of(self, name: str) -> Browser:
        """What fetches pages from a host."""
        if name not in self._browsers:
            self._browsers[name] = Browser(
                self.host(name),
                self.resolver,
                self._context,
                self.entropy,
                random=stream(self.seed, f"browser {name}"),
            )
        return self._browsers[name]

    @property
    def context(self) -> ssl.SSLContext:
        """How clients speak TLS: they trust the lab's authority alone."""
        return self._context

    def addresses(self, name: str) -> Addresses:
        """Fresh addresses for a subscriber's attempts."""
        node = self.topology.node(name)
        if node.block4 is None or node.block6 is None or node.role is not Role.SUBSCRIBER:
            raise ValueError(f"node '{name}' of topology '{self.topology.name}' is no subscriber")
        return Addresses(node.block4, node.block6, node.ipv4)

    def enter_phase(self, name: str) -> None:
        """The run enters a phase: all boxes are told."""
        for box in self.network.boxes.values():
            box.enter_phase(name)
        if self.recording is not None:
            self.recording.entered(name, self.clock.now_ns)

    def run(self, *processes: Generator[Event, Any, Any], limit_s: float = 3_600.0) -> list[Any]:
        """Let time pass until these have ended; what they gave back. Raises TimeoutError when it takes too long."""
        started = [self.clock.process(process) for process in processes]
        waiting = self.clock.all_of(started)
        self.clock.run(until=self.clock.any_of([waiting, self.clock.after(round(limit_s * SECOND_NS), _nothing)]))
        if not waiting.triggered:
            raise TimeoutError(f"after {limit_s:g} simulated seconds something still runs")
        return [process.value for process in started]

    def log(self) -> list[bytes]:
        """The lines of the decision log, of all boxes."""
        return self.network.log()


def serve_quic(host: Host, web: Web, sites: Sequence[Site], seed: int) -> None:
    """Serve HTTP/3 at the addresses of the sites; what is needed for it is loaded when a datagram comes."""
    for both in dict.fromkeys((site.ipv4, site.ipv6) for site in sites):
        for address in both:
            socket = host.datagrams(HTTPS, address=address)
            socket.heard = partial(_serve_quic, host, web, both, socket, seed)


def _serve_quic(
    host: Host, web: Web, both: tuple[str, str], socket: Socket, seed: int, data: bytes, remote: tuple[str, int]
) -> None:
    """The first datagram has come."""
    from testbed.simulate.quic.server import QuicServer

    server = QuicServer(
        tuple(sorted(web.names[socket.address])),
        both,
        host.clock,
        stream(seed, f"quic {socket.address}"),
        socket.send,
        partial(web.answer, socket.address),
    )
    socket.heard = server.take
    server.take(data, remote)


def _nothing(_: Event) -> None:
    """The limit has come; who waits for it looks at what has ended."""
