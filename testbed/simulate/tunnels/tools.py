"""The tunnels as tools: a server at the relay, clients at the subscribers', and the wait until one is up."""

from __future__ import annotations

import ssl
from collections.abc import Generator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from testbed.simulate.certificates import site_pem
from testbed.simulate.chance import stream
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.fetch import named
from testbed.simulate.host import Host
from testbed.simulate.tcp import Connection
from testbed.simulate.tls import Secure, server_context, take
from testbed.simulate.tunnels.asked import MEANS, SimulatedTunnel
from testbed.simulate.tunnels.carriers import (
    Carrier,
    Listener,
    TcpCarrier,
    TcpListener,
    UdpCarrier,
    UdpListener,
    skip,
)
from testbed.simulate.tunnels.exits import Exits
from testbed.simulate.tunnels.inside import Inside, host_inside
from testbed.simulate.tunnels.session import Session
from testbed.simulate.tunnels.shape import Shape
from testbed.simulate.tunnels.standing import Standing, await_exit
from testbed.tool import Kind, NotUp, ToolError, Via
from testbed.tools.places import Spot

if TYPE_CHECKING:
    from testbed.simulate.laboratory import SimulatedLab

#: where AnyConnect's TLS half listens, and by which name
_TLS_PORT, _TLS_NAME = 443, "vpn.example"
#: bytes of its requests and answers before the tunnel: the forms, name, password, and what the tunnel is to be
#: and seconds for each
_LOGIN_S = 60.0
_FORMS = ((350, 600), (450, 600), (500, 700), (900, 1_400))


@dataclass(slots=True)
class TunnelServer:
    """A server; see `asked.SimulatedServing`."""

    tool: TunnelTool
    lab: SimulatedLab
    relay: Host
    address: str = field(init=False)
    _listener: Listener = field(init=False)
    _exits: Exits = field(init=False)
    _clients: dict[str, int] = field(default_factory=dict)  # host -> its number
    _sessions: dict[str, Session] = field(default_factory=dict)  # by host, of those who are connected
    _count: int = 0

    def __post_init__(self) -> None:
        spot, shape = self.tool.spot, self.tool.shape
        self.address = spot.address(self.relay)
        self.relay.add_address(self.address)
        self._exits = Exits.of(self.relay)
        if self.tool.over_tcp:
            self._listener = TcpListener(self.relay, self.address, shape.ports[0])
        else:
            self._listener = UdpListener(self.relay, self.address, shape.ports)
        if self.tool.tls_first:
            self.relay.listen(_TLS_PORT, self._serve_tls, address=self.address)

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        for session in list(self._sessions.values()):
            session.close()

    def connect(self, client: Host, limit_s: float, source: str = "") -> Generator[Event, Any, SimulatedTunnel]:
        """See `asked.SimulatedServing`."""
        if client.name in self._sessions:
            raise ToolError(f"{client.name} is connected by {self.tool.name} already; close that tunnel first")
        lab, tool, clock = self.lab, self.tool, self.lab.clock
        number = self._clients.setdefault(client.name, len(self._clients) + 2)
        self._count += 1
        own = str(tool.spot.inner[number])
        inside = Inside(client.name, own, clock, lab.seed, lambda raw: session.carry(raw))
        inner = host_inside(inside, client.name, client.settings, tool.shape.mtu)
        source = source or client.ipv4
        session = Session(
            tool.shape,
            clock,
            stream(lab.seed, f"tunnel {tool.name} {client.name} {self._count}"),
            client=number - 2,
            inside=inside,
            exits=self._exits,
            exit=IPv4Address(self.address).packed,
            listener=self._listener,
            carrier=lambda made: self._carrier(client, source, made),
            prelude=(lambda: self._log_in(client, source)) if tool.tls_first else None,
        )
        self._sessions[client.name] = session
        begin_s = clock.now_ns / SECOND_NS
        try:
            ready_s = yield from await_exit(
                tool.name,
                lab,
                inner,
                self.address,
                limit_s,
                begin_s,
                up=lambda: session.up or tool.shape.waits,
                changed=lambda: session.changed.next,
                why=lambda: session.why,
            )
        except NotUp:
            self._end(client.name, session)
            raise
        return Standing(
            via=Via(source=own, interface=f"{tool.name}-{client.name}", exit=self.address),
            ready_s=ready_s,
            inner=inner,
            _alive=lambda: True,
            _times_up=lambda: session.times_up if tool.shape.counts else 1,
            _close=lambda: self._end(client.name, session),
        )

    def _end(self, client: str, session: Session) -> None:
        session.close()
        if self._sessions.get(client) is session:
            del self._sessions[client]

    def _carrier(self, client: Host, source: str, session: Session) -> Carrier:
        if self.tool.over_tcp:
            return TcpCarrier(
                client,
                self.address,
                self._listener,
                session.heard,
                session.serve,
                port=self.tool.shape.ports[0],
                source=source,
                broken=session.broke,
            )
        return UdpCarrier(
            client,
            self.address,
            self._listener,
            session.heard,
            session.serve,
            ports=self.tool.shape.ports,
            own_port=self.tool.shape.own_port,
            source=source,
        )

    # -- AnyConnect's TLS half ----------------------------------------------------------------------------------------

    def _serve_tls(self, connection: Connection) -> Generator[Event, Any, None]:
        secure = Secure(connection, _context(self.lab), self.lab.entropy, self.lab.clock, serves=True)
        try:
            yield from secure.handshake()
            for asked, said in _FORMS:
                yield from skip(secure, asked, _LOGIN_S)
                yield from secure.send(bytes(said))
            while (yield from secure.receive()):
                pass
        except (OSError, EOFError, ssl.SSLError):
            pass
        connection.close()

    def _log_in(self, client: Host, source: str) -> Generator[Event, Any, None]:
        """TLS, the forms, and the answer that tells how to go on over DTLS. The connection stays."""
        connection = yield from client.connect(self.address, _TLS_PORT, limit_s=_LOGIN_S, source=source)
        secure = Secure(connection, self.lab.context, self.lab.entropy, self.lab.clock, name=_TLS_NAME)
        try:
            yield from secure.handshake(_LOGIN_S)
            for asked, said in _FORMS:
                yield from secure.send(bytes(asked))
                yield from skip(secure, said, _LOGIN_S)
        except (EOFError, ssl.SSLError) as error:
            connection.close()
            raise ConnectionResetError(named(error)) from None


def _context(lab: SimulatedLab) -> ssl.SSLContext:
    pem = site_pem((_TLS_NAME,), (), for_browsers=False)
    return server_context(lambda context: take(context, pem), lab.entropy)


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelTool:
    """One VPN; see `asked.SimulatedTool`. `number`: the lab's, of which follow its addresses."""

    name: str
    shape: Shape
    number: int
    over_tcp: bool = False
    tls_first: bool = False  #: people log in over TLS before
    kind: Kind = Kind.TUNNEL

    @property
    def spot(self) -> Spot:
        return Spot(tool=self.name, number=self.number)

    def means(self) -> str:
        return MEANS

    def serve(self, lab: SimulatedLab, relay: Host) -> TunnelServer:
        return TunnelServer(self, lab, relay)
