"""What carries a tunnel's messages between its two ends: UDP, or TCP with two bytes of length before each (as OpenVPN).

A carrier is one client's; the server's half of all clients is one listener. Neither knows what the messages are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from simpy.events import Event

from testbed.simulate import http
from testbed.simulate.datagrams import Socket
from testbed.simulate.host import Host
from testbed.simulate.tcp import Connection

#: takes a message, and the server's port that it came from or to
Hear = Callable[[bytes, int], None]
#: bytes that may wait in a TCP connection; what comes then is lost, as when a TUN device's queue is full
_MOST_WAITING = 100_000


class Carrier(Protocol):
    """The client's half."""

    def open(self, limit_s: float) -> Generator[Event, Any, None]:
        """Be able to send; raises OSError."""

    def send(self, message: bytes, port: int) -> None: ...
    def close(self) -> None: ...


class Listener(ABC):
    """The server's half: who hears what comes from which client's address and port."""

    def __init__(self) -> None:
        self._hear: dict[tuple[str, int], Hear] = {}

    def expect(self, client: tuple[str, int], hear: Hear) -> None:
        self._hear[client] = hear

    def forget(self, client: tuple[str, int]) -> None:
        self._hear.pop(client, None)

    @abstractmethod
    def send(self, message: bytes, port: int, to: tuple[str, int]) -> None: ...


class UdpListener(Listener):
    """The server's sockets."""

    def __init__(self, relay: Host, address: str, ports: Sequence[int]) -> None:
        super().__init__()
        self._sockets = {port: relay.datagrams(port, address=address) for port in ports}
        for port, socket in self._sockets.items():
            relay.clock.process(self._listen(port, socket))

    def _listen(self, port: int, socket: Socket) -> Generator[Event, Any, None]:
        while True:
            message, client = yield from socket.receive()
            hear = self._hear.get(client)
            if hear is not None:
                hear(message, port)

    def send(self, message: bytes, port: int, to: tuple[str, int]) -> None:
        self._sockets[port].send(message, to)


class UdpCarrier:
    """A client's socket, or one for each of the server's ports if it comes from the same."""

    def __init__(
        self,
        host: Host,
        server: str,
        listener: Listener,
        heard: Hear,
        serve: Callable[[tuple[str, int]], Hear],
        *,
        ports: Sequence[int],
        own_port: bool,
        source: str,
    ) -> None:
        """`heard`: takes what comes; `serve`: makes the server's end for a client at this address and port."""
        self._host, self._server, self._listener, self._heard = host, server, listener, heard
        self._serve, self._ports, self._own_port = serve, ports, own_port
        self._source = source or host.ipv4
        self._sockets: dict[int, Socket] = {}

    def open(self, limit_s: float) -> Generator[Event, Any, None]:
        shared: Socket | None = None
        for port in self._ports:
            if self._own_port:
                socket = self._host.datagrams(port, address=self._source)
            else:
                socket = shared = shared or self._host.datagrams(0, address=self._source)
            self._sockets[port] = socket
            client = (self._source, socket.port)
            self._listener.expect(client, self._serve(client))
        for socket in dict.fromkeys(self._sockets.values()):
            self._host.clock.process(self._listen(socket))
        yield self._host.clock.wait(0)

    def _listen(self, socket: Socket) -> Generator[Event, Any, None]:
        while True:
            try:
                message, sender = yield from socket.receive()
            except OSError:
                continue
            if sender[0] == self._server:
                self._heard(message, sender[1])

    def send(self, message: bytes, port: int) -> None:
        if port in self._sockets:
            self._sockets[port].send(message, (self._server, port))

    def close(self) -> None:
        for socket in dict.fromkeys(self._sockets.values()):
            self._listener.forget((self._source, socket.port))
            socket.close()
        self._sockets = {}


def _frames(connection: Connection, heard: Callable[[bytes], None]) -> Generator[Event, Any, None]:
    """Give what comes on a connection, message by message, until it ends."""
    left = b""
    while True:
        data = yield from connection.receive()
        if not data:
            return
        left += data
        while len(left) >= 2 and len(left) >= 2 + (size := left[0] << 8 | left[1]):
            message, left = left[2 : 2 + size], left[2 + size :]
            heard(message)


def _put(connection: Connection | None, message: bytes) -> None:
    if connection is not None and connection.machine.sender.unsent < _MOST_WAITING:
        connection.put(len(message).to_bytes(2, "big") + message)


class TcpListener(Listener):
    """The server's port; a connection from nobody who is expected is closed."""

    def __init__(self, relay: Host, address: str, port: int) -> None:
        super().__init__()
        self._connections: dict[tuple[str, int], Connection] = {}
        self._port = port
        relay.listen(port, self._serve, address=address)

    def _serve(self, connection: Connection) -> Generator[Event, Any, None]:
        client = connection.remote
        hear = self._hear.get(client)
        if hear is not None:
            self._connections[client] = connection
            yield from _frames(connection, lambda message: hear(message, self._port))
        connection.close()

    def send(self, message: bytes, port: int, to: tuple[str, int]) -> None:
        _put(self._connections.get(to), message)

    def forget(self, client: tuple[str, int]) -> None:
        super().forget(client)
        self._connections.pop(client, None)


class TcpCarrier:
    """A client's connection."""

    def __init__(
        self,
        host: Host,
        server: str,
        listener: Listener,
        heard: Hear,
        serve: Callable[[tuple[str, int]], Hear],
        *,
        port: int,
        source: str,
        broken: Callable[[OSError], None],
    ) -> None:
        """`broken`: told when the connection ends; the rest as for UDP."""
        self._host, self._server, self._listener, self._heard = host, server, listener, heard
        self._serve, self._port, self._source, self._broken = serve, port, source, broken
        self._connection: Connection | None = None

    def open(self, limit_s: float) -> Generator[Event, Any, None]:
        made = yield from self._host.connect(self._server, self._port, limit_s=limit_s, source=self._source)
        self._connection = made
        self._listener.expect(made.local, self._serve(made.local))
        self._host.clock.process(self._listen(made))

    def _listen(self, connection: Connection) -> Generator[Event, Any, None]:
        error = ConnectionResetError("the connection was ended")
        try:
            yield from _frames(connection, lambda message: self._heard(message, self._port))
        except OSError as broken:
            error = ConnectionResetError(str(broken))
        if self._connection is connection:
            self._broken(error)

    def send(self, message: bytes, port: int) -> None:
        _put(self._connection, message)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._listener.forget(connection.local)
            connection.close()


def skip(stream: http.Stream, count: int, limit_s: float | None = None) -> Generator[Event, Any, None]:
    """Read so many bytes that mean nothing. Raises EOFError if the other end ends before them."""
    while count > 0:
        data = yield from stream.receive(limit_s)
        if not data:
            raise EOFError("closed in the middle of the handshake")
        count -= len(data)
