"""What `ssh -D` and Shadowsocks share: a stream through a proxy, used like a connection, and its target."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock, Signal
from testbed.simulate.host import Host
from testbed.simulate.tls import Carrying
from testbed.simulate.tunnels.asked import MEANS, SimulatedServing
from testbed.tool import Kind, Via
from testbed.tools.places import Spot

if TYPE_CHECKING:
    from testbed.simulate.laboratory import SimulatedLab


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTool:
    """One proxy; see `asked.SimulatedTool`. `number`: the lab's, of which follows its address."""

    name: str
    number: int
    socks_port: int
    server: Callable[[SimulatedLab, Host], SimulatedServing]
    kind: Kind = Kind.PROXY

    def means(self) -> str:
        return MEANS

    def address(self, relay: Host) -> str:
        """Of its server, and where its clients' traffic comes out."""
        return Spot(tool=self.name, number=self.number).address(relay)

    def via(self, exit: str) -> Via:
        """How a program on the client's host would go through it."""
        return Via(proxy=f"socks5h://127.0.0.1:{self.socks_port}", exit=exit)

    def serve(self, lab: SimulatedLab, relay: Host) -> SimulatedServing:
        return self.server(lab, relay)


#: bytes that name a target
TARGET = 6


def target_of(address: str, port: int) -> bytes:
    """An IPv4 address and a port, as SOCKS says them (RFC 1928, 4)."""
    return IPv4Address(address).packed + port.to_bytes(2, "big")


def place_of(target: bytes) -> tuple[str, int]:
    """The address and the port that these bytes begin with."""
    return str(IPv4Address(target[:4])), int.from_bytes(target[4:TARGET], "big")


def pass_on(source: Carrying, onward: Callable[[bytes], Generator[Event, Any, None]]) -> Generator[Event, Any, None]:
    """Give `onward` what comes from `source`, until either ends or breaks."""
    with suppress(OSError):
        while data := (yield from source.receive()):
            yield from onward(data)


class Relayed:
    """One stream through a proxy, at its client: what is sent goes to `write`; `arrived` and `ended` are told of."""

    def __init__(
        self,
        clock: Clock,
        local: tuple[str, int],
        remote: tuple[str, int],
        write: Callable[[bytes, float | None], Generator[Event, Any, None]],
        put: Callable[[bytes], None],
        finish: Callable[[], None],
    ) -> None:
        self.local = local
        self.remote = remote
        self._clock = clock
        self._write, self._put, self._finish = write, put, finish
        self._inbox = bytearray()
        self._over = False
        self._error: OSError | None = None
        self._changed = Signal(clock)

    def send(self, data: bytes, limit_s: float | None = None) -> Generator[Event, Any, None]:
        """Send bytes; waits as the proxy's connection does. Raises what broke it."""
        if self._error is not None:
            raise self._error
        yield from self._write(data, limit_s)

    def put(self, data: bytes) -> None:
        """Send bytes without waiting."""
        if self._error is None:
            self._put(data)

    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, bytes]:
        """Wait for bytes and return all there are; b"" at the end. Raises what broke it, or TimeoutError."""
        until_ns = None if limit_s is None else self._clock.now_ns + round(limit_s * SECOND_NS)
        while not self._inbox:
            if self._error is not None:
                raise self._error
            if self._over:
                return b""
            if until_ns is None:
                yield self._changed.next
                continue
            left_ns = until_ns - self._clock.now_ns
            if left_ns <= 0:
                raise TimeoutError("timed out")
            yield self._changed.next | self._clock.wait(left_ns / SECOND_NS)
        data = bytes(self._inbox)
        self._inbox.clear()
        return data

    def close(self) -> None:
        if not self._over and self._error is None:
            self._over = True
            self._finish()

    def arrived(self, data: bytes) -> None:
        """Bytes have come."""
        self._inbox += data
        self._changed.tell()

    def ended(self, error: OSError | None = None) -> None:
        """No more comes."""
        self._over, self._error = True, error
        self._changed.tell()
