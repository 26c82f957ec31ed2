"""`ssh -D` in virtual time: one connection, its lines and key exchange, then channels in it (RFC 4253, RFC 4254).

The client asks every 5 s whether the server is there and ends after the third silence, or with its connection, as
`testbed.tools.ssh` configures it; it connects no more by itself.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from testbed import failure
from testbed.simulate.chance import stream
from testbed.simulate.clock import SECOND_NS, Signal
from testbed.simulate.fetch import named
from testbed.simulate.host import Host
from testbed.simulate.tcp import Connection, Settings
from testbed.simulate.tls import Carrying
from testbed.simulate.tunnels.asked import SimulatedTunnel
from testbed.simulate.tunnels.proxies import ProxyTool, Relayed, pass_on, place_of, target_of
from testbed.simulate.tunnels.shape import DOWN, UP
from testbed.simulate.tunnels.ssh_messages import (
    DATA,
    END,
    LINE,
    MOST,
    OPEN,
    REFUSED,
    THERE,
    YES,
    Messages,
    exchange,
    read_line,
)
from testbed.simulate.tunnels.standing import Standing, await_exit
from testbed.tool import NotUp

if TYPE_CHECKING:
    from testbed.simulate.laboratory import SimulatedLab

PORT = 22
_ASK_S, _SILENCES = 5.0, 3


class _Client:
    """The program at the subscriber's; a `testbed.simulate.fetch.Dialler`."""

    def __init__(self, server: SshServer, client: Host, source: str, random: Random) -> None:
        self._server, self._host, self._source = server, client, source
        self._random = random
        self._clock = client.clock
        self._key = random.randbytes(32)
        self._out = Messages(self._key, UP)
        self._connection: Connection | None = None
        self._channels: dict[int, Relayed] = {}
        self._opened: dict[int, Event] = {}
        self._next = 0
        self._heard_ns = self._clock.now_ns
        self.up = False
        self.gone = ""  #: why it has ended, OONI's string
        self.changed = Signal(self._clock)  #: something has happened to it
        self._clock.process(self._live())

    def _live(self) -> Generator[Event, Any, None]:
        try:
            made = yield from self._host.connect(self._server.address, PORT, source=self._source)
            self._connection = made
            self._server.keys[made.local] = self._key
            yield from made.send(LINE)
            yield from read_line(made)
            yield from exchange(made, UP, self._random)
            self.up = True
            self.changed.tell()
            self._clock.process(self._watch())
            opener = Messages(self._key, DOWN)
            while True:
                data = yield from made.receive()
                if not data:
                    raise ConnectionResetError("closed by remote host")
                self._heard_ns = self._clock.now_ns
                for kind, channel, content in opener.open(data):
                    self._take(kind, channel, content)
        except (OSError, EOFError) as error:
            self._end(named(error))

    def _take(self, kind: int, channel: int, content: bytes) -> None:
        through = self._channels.get(channel)
        if kind == OPEN and channel in self._opened:
            self._opened.pop(channel).succeed(True)
        elif kind == REFUSED and channel in self._opened:
            self._opened.pop(channel).succeed(False)
        elif kind == DATA and through is not None:
            through.arrived(content)
        elif kind == END and through is not None:
            through.ended()

    def _watch(self) -> Generator[Event, Any, None]:
        while not self.gone:
            yield self._clock.wait(_ASK_S)
            silent_s = (self._clock.now_ns - self._heard_ns) / SECOND_NS
            if silent_s >= _ASK_S * (_SILENCES + 1):
                self._end(failure.TIMEOUT)
            elif silent_s >= _ASK_S:
                self._put(THERE, 0)

    def _put(self, kind: int, channel: int, data: bytes = b"") -> None:
        if self._connection is not None:
            self._connection.put(self._out.seal(kind, channel, data))

    def connect(
        self,
        address: str,
        port: int,
        *,
        limit_s: float | None = None,
        source: str = "",
        settings: Settings | None = None,
    ) -> Generator[Event, Any, Carrying]:
        """A channel; it stands when the server has connected."""
        if not self.up or self._connection is None:
            raise ConnectionRefusedError("connection refused")
        connection = self._connection
        self._next += 1
        channel = self._next

        def write(data: bytes, within_s: float | None) -> Generator[Event, Any, None]:
            for at in range(0, len(data), MOST):
                yield from connection.send(self._out.seal(DATA, channel, data[at : at + MOST]), within_s)

        made = Relayed(
            self._clock,
            (self._host.ipv4, 0),
            (address, port),
            write,
            lambda data: self._put(DATA, channel, data),
            lambda: self._put(END, channel),
        )
        self._channels[channel] = made
        self._opened[channel] = opened = Event(self._clock)
        self._put(OPEN, channel, target_of(address, port))
        within = self._clock.wait(limit_s if limit_s is not None else 3_600.0)
        yield opened | self.changed.next | within
        if self.gone:
            raise ConnectionResetError("the proxy has ended")
        if not opened.triggered:
            self._opened.pop(channel, None)
            raise TimeoutError("timed out")
        if not opened.value:
            raise ConnectionRefusedError("the proxy does not reach it")
        return made

    def _end(self, why: str) -> None:
        if self.gone:
            return
        self.gone, self.up = why or failure.EOF, False
        for channel in self._channels.values():
            channel.ended(ConnectionResetError("the proxy has ended"))
        if self._connection is not None:
            self._connection.close()
        self.changed.tell()

    def close(self) -> None:
        self._end(failure.EOF)


@dataclass(slots=True)
class SshServer:
    """See `asked.SimulatedServing`."""

    lab: SimulatedLab
    relay: Host
    address: str = field(init=False)
    keys: dict[tuple[str, int], bytes] = field(default_factory=dict)  # by the client's address and port
    _clients: list[_Client] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self.address = TOOL.address(self.relay)
        self.relay.listen(PORT, self._serve, address=self.address)

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def connect(self, client: Host, limit_s: float, source: str = "") -> Generator[Event, Any, SimulatedTunnel]:
        """See `asked.SimulatedServing`."""
        self._count += 1
        random = stream(self.lab.seed, f"tunnel {TOOL.name} {client.name} {self._count}")
        inner = _Client(self, client, source or client.ipv4, random)
        self._clients.append(inner)
        begin_s = self.lab.clock.now_ns / SECOND_NS
        try:
            ready_s = yield from await_exit(
                TOOL.name,
                self.lab,
                inner,
                self.address,
                limit_s,
                begin_s,
                up=lambda: inner.up,
                changed=lambda: inner.changed.next,
                ended=lambda: inner.gone,
            )
        except NotUp:
            inner.close()
            raise
        return Standing(
            via=TOOL.via(self.address),
            ready_s=ready_s,
            inner=inner,
            _alive=lambda: not inner.gone,
            _times_up=lambda: 1,
            _close=inner.close,
        )

    def _serve(self, connection: Connection) -> Generator[Event, Any, None]:
        key = self.keys.pop(connection.remote, b"")
        random = Random(key + b"server")
        channels: dict[int, Connection] = {}
        try:
            yield from connection.send(LINE)
            yield from read_line(connection)
            yield from exchange(connection, DOWN, random)
            opener, out = Messages(key, UP), Messages(key, DOWN)
            while True:
                data = yield from connection.receive()
                if not data:
                    break
                for kind, channel, content in opener.open(data):
                    if kind == OPEN:
                        self.lab.clock.process(self._channel(connection, channel, content, channels, out))
                    elif kind == DATA and channel in channels:
                        channels[channel].put(content)
                    elif kind == END and channel in channels:
                        channels[channel].close()
                    elif kind == THERE:
                        connection.put(out.seal(YES, 0))
        except (OSError, EOFError):
            pass
        for one in channels.values():
            one.close()
        connection.close()

    def _channel(
        self, connection: Connection, channel: int, target: bytes, channels: dict[int, Connection], out: Messages
    ) -> Generator[Event, Any, None]:
        """Connect to a target, and pass on what it says."""
        try:
            made = yield from self.relay.connect(*place_of(target), limit_s=60.0)
        except OSError:
            connection.put(out.seal(REFUSED, channel))
            return
        channels[channel] = made
        connection.put(out.seal(OPEN, channel))

        def onward(data: bytes) -> Generator[Event, Any, None]:
            for at in range(0, len(data), MOST):
                yield from connection.send(out.seal(DATA, channel, data[at : at + MOST]))

        yield from pass_on(made, onward)
        connection.put(out.seal(END, channel))


TOOL = ProxyTool(name="ssh", number=0, socks_port=1080, server=SshServer)
