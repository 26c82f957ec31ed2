"""UDP: datagrams with their bytes, and sockets that processes wait at.

socket = client.datagrams()
socket.send(query, ("198.51.100.53", 53))
data, sender = yield from socket.receive(limit_s=5)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from simpy.events import Event

from middlebox.forge import udp
from testbed.simulate.clock import SECOND_NS, Clock


class Datagram:
    """One UDP datagram, without the IP header around it."""

    __slots__ = ("dport", "payload", "sport")

    def __init__(self, sport: int, dport: int, payload: bytes) -> None:
        self.sport = sport
        self.dport = dport
        self.payload = payload

    @property
    def ends(self) -> None:
        """Datagrams are always looked at."""
        return None

    def encode(self, *, src: bytes, dst: bytes, ttl: int, ip_id: int) -> bytes:
        """The packet from its IP header on, with its checksums."""
        return udp(src=src, dst=dst, sport=self.sport, dport=self.dport, payload=self.payload, ttl=ttl, ip_id=ip_id)


class Socket:
    """Datagrams to and from one port; made by a host."""

    def __init__(
        self,
        clock: Clock,
        port: int,
        address: str,
        send: Callable[[Datagram, str, str], None],
        closed: Callable[[], object],
        remote: tuple[str, int] | None = None,
    ) -> None:
        #: the one that this socket talks with: only then is it told of ICMP errors, as in Linux; it hears nobody else
        self.remote = remote
        self.port = port
        self.address = address  #: "" for all of the host's
        self.heard: Callable[[bytes, tuple[str, int]], None] | None = None  #: takes what comes, in place of `receive`
        self._clock = clock
        self._send = send
        self._closed = closed
        self._inbox: deque[tuple[bytes, tuple[str, int], str]] = deque()
        self._error: OSError | None = None
        self._changed: Event | None = None

    def send(self, payload: bytes, target: tuple[str, int] | None = None, *, source: str = "") -> None:
        """Send a datagram; `source`: the address to come from, if not the socket's."""
        target = target or self.remote
        if target is None:
            raise ValueError("a datagram needs a target where its socket has none")
        self._send(Datagram(self.port, target[1], payload), source or self.address, target[0])

    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, tuple[bytes, tuple[str, int]]]:
        """Wait for a datagram; returns it and who sent it. Raises TimeoutError, or OSError for what ICMP said."""
        data, remote, _ = yield from self.receive_from(limit_s)
        return data, remote

    def receive_from(self, limit_s: float | None = None) -> Generator[Event, Any, tuple[bytes, tuple[str, int], str]]:
        """The same, and the address that it was sent to."""
        until_ns = None if limit_s is None else self._clock.now_ns + round(limit_s * SECOND_NS)
        while not self._inbox:
            error, self._error = self._error, None
            if error is not None:
                raise error
            if until_ns is not None and self._clock.now_ns >= until_ns:
                raise TimeoutError("timed out")
            self._changed = Event(self._clock)
            if until_ns is None:
                yield self._changed
            else:
                yield self._changed | self._clock.after(until_ns - self._clock.now_ns, _nothing)
        return self._inbox.popleft()

    def take(self, payload: bytes, remote: tuple[str, int], local: str) -> None:
        """A datagram has come."""
        if self.remote is not None and remote != self.remote:
            return
        if self.heard is not None:
            self.heard(payload, remote)
            return
        self._inbox.append((payload, remote, local))
        self._wake()

    def fail(self, error: OSError, remote: tuple[str, int]) -> None:
        """An ICMP error has come for something that was sent from here."""
        if remote != self.remote:
            return
        self._error = error
        self._wake()

    @property
    def said(self) -> str:
        """What ICMP has said last, in words; "" for nothing, or if `receive` has told it."""
        return "" if self._error is None else str(self._error.strerror)

    def close(self) -> None:
        self._closed()

    def _wake(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.succeed()


def _nothing(_: Event) -> None:
    """A time has come; who waits for it looks at the clock."""
