"""A machine of the simulated network: its addresses, its ports, its TCP connections and datagrams.

What runs on it are SimPy processes. All that leaves and all that comes passes a hook, where packets can be changed as
tools for circumvention do: split, reordered, sent twice, with another TTL.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterable
from functools import partial
from ipaddress import ip_address
from typing import Any

from simpy.events import Event

from middlebox.ability import Overlap
from middlebox.checksum import ipv4_header_ok, transport_ok
from middlebox.fragments import Reassembly
from middlebox.packet import ACK, ICMP, ICMPV6, RST, SYN, TCP, UDP, PacketView, view
from testbed.simulate import icmp
from testbed.simulate.chance import stream
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.datagrams import Datagram, Socket
from testbed.simulate.packet import Attaching, Packet
from testbed.simulate.tcp import DEFAULT, Connection, Segment, Settings, decoded
from testbed.simulate.tcp.phase import Phase
from testbed.simulate.tcp.stream import quietly

#: a program that serves one connection: a SimPy process
Serve = Callable[[Connection], Generator[Event, Any, Any]]
#: what becomes of one packet, given and taken from the IP header on: nothing, itself, or others
Hook = Callable[[bytes], Iterable[bytes]]

#: net.ipv4.ip_local_port_range
_FIRST_PORT, _LAST_PORT = 32_768, 60_999
#: pieces of one datagram, datagrams in pieces, and how long they wait (net.ipv4.ipfrag_time); pieces that disagree
#: throw the whole datagram away (RFC 5722; Linux does so for IPv4 too)
_FRAGMENTS, _DATAGRAMS, _FRAGMENT_NS = 1_024, 256, 30 * SECOND_NS
_Ends = tuple[bytes, int, bytes, int]  # address and port of this end, and of the other


class Host:
    """One host of a network, attached to it; `settings`: how its TCP behaves unless a call says otherwise."""

    def __init__(self, network: Attaching, name: str, *, settings: Settings = DEFAULT) -> None:
        node = network.node(name)
        self.name = name
        self.network = network
        self.clock = network.clock
        self.settings = settings
        self.ipv4, self.ipv6 = node.ipv4, node.ipv6
        self.outgoing: Hook | None = None  #: what becomes of each packet before it leaves
        self.incoming: Hook | None = None  #: what becomes of each packet before this host looks at it
        self.dropped = 0  #: packets that came with a wrong checksum, or to an address that is not here
        self._random = stream(network.seed, f"host {name}")
        self._addresses = {ip_address(node.ipv4).packed, ip_address(node.ipv6).packed}
        self._own = [block for block in (node.block4, node.block6) if block is not None]
        self._blocks = self._own if node.access else []  # a subscriber is at home at all of its addresses
        self._connections: dict[_Ends, Connection] = {}
        self._listening: dict[tuple[bytes, int], tuple[Serve, Settings]] = {}
        self._sockets: dict[tuple[bytes, int], Socket] = {}
        self._port = self._random.randrange(_FIRST_PORT, _LAST_PORT)
        self._fragments = Reassembly(
            max_fragments=_FRAGMENTS, max_datagrams=_DATAGRAMS, timeout_ns=_FRAGMENT_NS, overlap=Overlap.STRICT
        )
        network.attach(name, self._receive)

    def add_address(self, address: str) -> None:
        """Answer at this address too. Raises ValueError if packets for it are not led to this host."""
        value = ip_address(address)
        if not any(value in block for block in self._own):
            raise ValueError(f"address {address} is not in the blocks of host '{self.name}'")
        self._addresses.add(value.packed)

    # -- what programs call -------------------------------------------------------------------------------------------

    def connect(
        self,
        address: str,
        port: int,
        *,
        limit_s: float | None = None,
        source: str = "",
        settings: Settings | None = None,
    ) -> Generator[Event, Any, Connection]:
        """Connect to a server; `source`: the address to come from, out of this host's own.

        Raises ConnectionRefusedError, TimeoutError, or OSError for what ICMP said.
        """
        local = source or (self.ipv6 if ":" in address else self.ipv4)
        number = self._free_port(local)
        connection = self._make((local, number), (address, port), settings or self.settings)
        connection.opening.ask()
        yield from connection.opened(limit_s)
        return connection

    def listen(self, port: int, serve: Serve, *, address: str = "", settings: Settings | None = None) -> None:
        """Serve the connections to a port, each by a process of its own; at all addresses unless one is named."""
        place = (ip_address(address).packed if address else b"", port)
        if place in self._listening:
            raise ValueError(f"host '{self.name}' listens at port {port} {address} already")
        self._listening[place] = (serve, settings or self.settings)

    def datagrams(self, port: int = 0, *, address: str = "", remote: tuple[str, int] | None = None) -> Socket:
        """A socket for datagrams; port 0: a free one; no address: this host's own; `remote`: talk with it alone."""
        packed = ip_address(address).packed if address else b""
        while not port or (packed, port) in self._sockets:
            if port:
                raise ValueError(f"host '{self.name}' has a socket at port {port} {address} already")
            port = self._free_port(address or self.ipv4)
        place = (packed, port)
        closed = partial(self._sockets.pop, place, None)
        socket = Socket(self.clock, port, address, self._send_datagram, closed, remote)
        self._sockets[place] = socket
        return socket

    def send_raw(self, raw: bytes) -> None:
        """Send a packet of one's own making, past the hook."""
        packet = Packet.of(raw)
        if packet is not None:
            self.network.send(self.name, packet)

    def connection(self, local: tuple[str, int], remote: tuple[str, int]) -> Connection | None:
        """The connection between these ends."""
        return self._connections.get(_ends(local, remote))

    def newest(self, remote: str) -> Connection | None:
        """Of the connections with an address the one that was begun last."""
        return next((one for one in reversed(self._connections.values()) if one.remote[0] == remote), None)

    # -- what leaves --------------------------------------------------------------------------------------------------

    def _free_port(self, address: str) -> int:
        """The next port that nothing uses, for connections and datagrams alike."""
        packed = ip_address(address).packed
        used = {ends[1] for ends in self._connections if ends[0] == packed} | {port for _, port in self._sockets}
        for _ in range(_LAST_PORT - _FIRST_PORT + 1):
            self._port = self._port + 1 if self._port < _LAST_PORT else _FIRST_PORT
            if self._port not in used:
                return self._port
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    def _make(self, local: tuple[str, int], remote: tuple[str, int], settings: Settings) -> Connection:
        source, _, target, _ = ends = _ends(local, remote)
        overhead = 20 if len(source) == 4 else 40
        ident = self._random.getrandbits(16)

        def emit(connection: Connection, segment: Segment) -> None:
            nonlocal ident
            number = 0
            if not segment.flags & (SYN | RST) or segment.flags == SYN:
                number = ident = (ident + 1) & 0xFFFF  # Linux numbers packets in each connection; SYN+ACK has none
            self._leave(Packet(source, target, connection.ttl, segment.length + overhead, segment, number))

        made = Connection(self.clock, settings, local, remote, self._random, emit)
        self._connections[ends] = made
        made.machine.on_closed = lambda: self._connections.pop(ends, None)
        return made

    def _send_datagram(self, datagram: Datagram, source: str, target: str) -> None:
        src = ip_address(source or (self.ipv6 if ":" in target else self.ipv4)).packed
        length = len(datagram.payload) + (28 if len(src) == 4 else 48)
        ident = self._random.getrandbits(16)
        packet = Packet(src=src, dst=ip_address(target).packed, ttl=64, length=length, body=datagram, ip_id=ident)
        self._leave(packet)

    def _leave(self, packet: Packet) -> None:
        if self.outgoing is None:
            self.network.send(self.name, packet)
            return
        for raw in self.outgoing(packet.raw):
            self.send_raw(raw)

    def _send_answer(self, raw: bytes) -> None:
        packet = Packet.of(raw)
        if packet is not None:
            self._leave(packet)

    # -- what comes -----------------------------------------------------------------------------------------------

    def _receive(self, packet: Packet) -> None:
        if self.incoming is not None:
            for raw in self.incoming(packet.raw):
                made = Packet.of(raw)
                if made is not None:
                    self._take(made)
        else:
            self._take(packet)

    def _is_here(self, address: bytes) -> bool:
        if address in self._addresses:
            return True
        return any(ip_address(address) in block for block in self._blocks)

    def _take(self, packet: Packet) -> None:
        body = packet.body
        if type(body) is Segment:
            connection = self._connections.get((packet.dst, body.dport, packet.src, body.sport))
            if connection is not None:
                connection.handle(body)
                return
        if not self._is_here(packet.dst):
            self.dropped += 1
            return
        if isinstance(body, Segment):
            self._on_segment(packet, body)
            return
        seen = packet.seen()
        if body is None:
            whole = self._whole(seen)
            if whole is None:
                return
            seen = whole
        if seen.proto == TCP:
            segment = decoded(seen)
            if segment is not None:
                self._on_segment(packet, segment)
        elif seen.proto == UDP:
            self._on_datagram(packet, seen)
        elif seen.proto in (ICMP, ICMPV6):
            self._on_icmp(seen)

    def _whole(self, seen: PacketView) -> PacketView | None:
        """The packet if it may be believed; the datagram when its last fragment has come; else None."""
        whole: PacketView | None = seen
        if not ipv4_header_ok(seen):
            whole = None
        elif seen.is_fragment:
            joined = self._fragments.add(seen, self.clock.now_ns)
            if joined.datagram is None and not joined.refused:
                return None  # the others are yet to come
            whole = view(joined.datagram) if joined.datagram is not None else None
        if whole is None or not transport_ok(whole):
            self.dropped += 1
            return None
        return whole

    def _on_segment(self, packet: Packet, segment: Segment) -> None:
        ends = (packet.dst, segment.dport, packet.src, segment.sport)
        connection = self._connections.get(ends)
        if connection is not None and segment.flags & SYN and connection.phase is Phase.TIME_WAIT:
            connection.machine.fail(ConnectionAbortedError("the port is used anew"))
            connection = None
        if connection is not None:
            connection.handle(segment)
            return
        listening = self._listening.get((packet.dst, segment.dport)) or self._listening.get((b"", segment.dport))
        if listening is not None and segment.flags & (SYN | ACK | RST) == SYN:
            serve, settings = listening
            local, remote = (str(ip_address(one)) for one in (packet.dst, packet.src))
            made = self._make((local, segment.dport), (remote, segment.sport), settings)
            made.on_standing = lambda: self.clock.process(quietly(serve(made)))
            made.opening.answer(segment)
        elif not segment.flags & RST:
            self._refuse(packet, segment)

    def _refuse(self, packet: Packet, segment: Segment) -> None:
        """RFC 9293, 3.10.7.1."""
        if segment.flags & ACK:
            answer = Segment(segment.dport, segment.sport, segment.ack, 0, RST, 0)
        else:
            ack = (segment.seq + segment.numbers) & 0xFFFF_FFFF
            answer = Segment(segment.dport, segment.sport, 0, ack, RST | ACK, 0)
        length = 40 if len(packet.src) == 4 else 60
        self._leave(Packet(src=packet.dst, dst=packet.src, ttl=64, length=length, body=answer))

    def _on_datagram(self, packet: Packet, seen: PacketView) -> None:
        port = seen.dst_port
        socket = self._sockets.get((packet.dst, port)) or self._sockets.get((b"", port))
        if socket is not None:
            remote = (str(ip_address(packet.src)), seen.src_port)
            socket.take(seen.payload, remote, str(ip_address(packet.dst)))
        elif icmp.may_be_answered(packet.raw):
            self._send_answer(icmp.port_unreachable(packet.raw, src=packet.dst))

    def _on_icmp(self, seen: PacketView) -> None:
        """An error reaches the connection or the socket whose packet it quotes."""
        if not icmp.is_error(seen):
            return
        quoted = view(seen.raw[seen.header_end + 8 :])
        if quoted is None:
            return
        code = icmp.error_number(seen)
        error = OSError(code, os.strerror(code))
        if quoted.proto == TCP:
            connection = self._connections.get((quoted.src, quoted.src_port, quoted.dst, quoted.dst_port))
            # once a connection stands, it outlives what ICMP says (RFC 1122, 4.2.3.9)
            if connection is not None and connection.phase in (Phase.SYN_SENT, Phase.SYN_RECEIVED):
                connection.machine.fail(error)
                connection.opening.stop()
        elif quoted.proto == UDP:
            socket = self._sockets.get((quoted.src, quoted.src_port)) or self._sockets.get((b"", quoted.src_port))
            if socket is not None:
                socket.fail(error, (str(ip_address(quoted.dst)), quoted.dst_port))


def _ends(local: tuple[str, int], remote: tuple[str, int]) -> _Ends:
    return ip_address(local[0]).packed, local[1], ip_address(remote[0]).packed, remote[1]
