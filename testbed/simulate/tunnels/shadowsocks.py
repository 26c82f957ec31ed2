"""Shadowsocks with an AEAD cipher: a connection of its own for each one that goes through, random from the first byte.

Each direction begins with a salt of 32 bytes; then come chunks: an encrypted length, and as much encrypted content
(SIP004). The client's first chunk names the target, with the first bytes that are sent there.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from testbed.simulate.chance import stream
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.host import Host
from testbed.simulate.tcp import Connection, Settings
from testbed.simulate.tls import Carrying
from testbed.simulate.tunnels.asked import SimulatedTunnel
from testbed.simulate.tunnels.proxies import TARGET, ProxyTool, Relayed, pass_on, place_of, target_of
from testbed.simulate.tunnels.shape import DOWN, UP, Sealing
from testbed.simulate.tunnels.standing import Standing, await_exit

if TYPE_CHECKING:
    from testbed.simulate.laboratory import SimulatedLab

PORT = 8388
_SALT = 32
_IPV4 = b"\x01"  # what kind of address follows (RFC 1928, 5)
_MOST = 0x3FFF  # bytes of content in a chunk
#: the client waits so long for first bytes to send along with the target's name; a browser's come at once
_ALONG_S = 0.001


class _Chunks:
    """One direction of one connection."""

    def __init__(self, sealing: Sealing, up: bool, salt: bytes) -> None:
        self._sealing, self._up = sealing, up
        self._salt = salt
        self._left = b""
        self._due: int | None = None
        self._salted = False

    def seal(self, data: bytes) -> bytes:
        """The bytes on the wire; the salt before the first ones."""
        made, self._salt = self._salt, b""
        for at in range(0, len(data), _MOST):
            part = data[at : at + _MOST]
            sealing = self._sealing
            made += sealing.seal(self._up, sealing.next(self._up), len(part).to_bytes(2, "big"))
            made += sealing.seal(self._up, sealing.next(self._up), part)
        return made

    def open(self, data: bytes) -> bytes:
        """The content of what has come, as far as its chunks are whole."""
        self._left += data
        if not self._salted:
            if len(self._left) < _SALT:
                return b""
            self._left, self._salted = self._left[_SALT:], True
        found = b""
        while True:
            size = (2 if self._due is None else self._due) + Sealing.TAG
            if len(self._left) < size:
                return found
            sealed, self._left = self._left[:size], self._left[size:]
            part = self._sealing.open(self._up, self._sealing.next(self._up), sealed)
            if part is None:
                raise ConnectionResetError("what came was changed on its way")
            if self._due is None:
                self._due = int.from_bytes(part, "big")
            else:
                found += part
                self._due = None


class _Through:
    """A client's way through: each connection makes one to the server."""

    def __init__(self, server: ShadowsocksServer, client: Host, source: str, random: Random) -> None:
        self._server, self._client, self._source, self._random = server, client, source, random

    def connect(
        self,
        address: str,
        port: int,
        *,
        limit_s: float | None = None,
        source: str = "",
        settings: Settings | None = None,
    ) -> Generator[Event, Any, Carrying]:
        """See `testbed.simulate.fetch.Dialler`; it stands as soon as the client itself has answered."""
        key = self._random.randbytes(32)
        up = _Chunks(Sealing(Random(key)), UP, self._random.randbytes(_SALT))
        down = _Chunks(Sealing(Random(key)), DOWN, b"")
        target = _IPV4 + target_of(address, port)
        server = self._server
        outer: list[Connection] = []
        waiting = [target]
        clock = self._client.clock

        def write(data: bytes, within_s: float | None) -> Generator[Event, Any, None]:
            if outer:
                yield from outer[0].send(up.seal(data), within_s)
            else:
                waiting.append(data)
                yield clock.wait(0)

        def put(data: bytes) -> None:
            if outer:
                outer[0].put(up.seal(data))
            else:
                waiting.append(data)

        def finish() -> None:
            if outer:
                outer[0].close()

        through = Relayed(clock, (self._client.ipv4, 0), (address, port), write, put, finish)

        def carry() -> Generator[Event, Any, None]:
            try:
                made = yield from self._client.connect(server.address, PORT, source=self._source)
                server.keys[made.local] = key
                yield clock.wait(_ALONG_S)
                first = b"".join(waiting)
                outer.append(made)
                yield from made.send(up.seal(first))
                while True:
                    data = yield from made.receive()
                    if not data:
                        break
                    content = down.open(data)
                    if content:
                        through.arrived(content)
                through.ended()
                made.close()
            except OSError as error:
                through.ended(error)

        clock.process(carry())
        yield clock.wait(0)
        return through


@dataclass(slots=True)
class ShadowsocksServer:
    """See `asked.SimulatedServing`."""

    lab: SimulatedLab
    relay: Host
    address: str = field(init=False)
    keys: dict[tuple[str, int], bytes] = field(default_factory=dict)  # by the client's address and port
    _count: int = 0

    def __post_init__(self) -> None:
        self.address = TOOL.address(self.relay)
        self.relay.add_address(self.address)
        self.relay.listen(PORT, self._serve, address=self.address)

    def alive(self) -> bool:
        return True

    def close(self) -> None:
        """Its clients hold nothing that could be ended."""

    def connect(self, client: Host, limit_s: float, source: str = "") -> Generator[Event, Any, SimulatedTunnel]:
        """See `asked.SimulatedServing`; ready means that a request went through."""
        self._count += 1
        random = stream(self.lab.seed, f"tunnel {TOOL.name} {client.name} {self._count}")
        inner = _Through(self, client, source or client.ipv4, random)
        begin_s = self.lab.clock.now_ns / SECOND_NS
        ready_s = yield from await_exit(TOOL.name, self.lab, inner, self.address, limit_s, begin_s)
        return Standing(
            via=TOOL.via(self.address),
            ready_s=ready_s,
            inner=inner,
            _alive=lambda: True,
            _times_up=lambda: 1,
            _close=lambda: None,
        )

    def _serve(self, connection: Connection) -> Generator[Event, Any, None]:
        key = self.keys.pop(connection.remote, b"")
        up = _Chunks(Sealing(Random(key)), UP, b"")
        down = _Chunks(Sealing(Random(key)), DOWN, Random(key + b"salt").randbytes(_SALT))
        head = len(_IPV4) + TARGET
        content = b""
        while len(content) < head:
            data = yield from connection.receive()
            if not data:
                connection.close()
                return
            content += up.open(data)
        address, port = place_of(content[len(_IPV4) :])
        try:
            target = yield from self.relay.connect(address, port, limit_s=60.0, source=self.address)
        except OSError:
            connection.close()
            return
        if content[head:]:
            target.put(content[head:])

        def back() -> Generator[Event, Any, None]:
            yield from pass_on(target, lambda data: connection.send(down.seal(data)))
            connection.close()

        self.lab.clock.process(back())
        yield from pass_on(connection, lambda data: target.send(up.open(data)))
        target.close()


TOOL = ProxyTool(name="shadowsocks", number=7, socks_port=1088, server=ShadowsocksServer)
