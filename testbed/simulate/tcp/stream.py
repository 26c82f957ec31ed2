"""A connection as programs see it: bytes in and out, as SimPy processes that wait.

    connection = yield from client.connect("203.0.113.10", 443, limit_s=10)
    yield from connection.send(b"GET / HTTP/1.1...")
    data = yield from connection.receive(limit_s=10)

Errors are those of Python's sockets: ConnectionRefusedError, ConnectionResetError, BrokenPipeError, TimeoutError.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random
from typing import Any

from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock
from testbed.simulate.tcp.connection import Machine
from testbed.simulate.tcp.opening import Opening
from testbed.simulate.tcp.phase import Phase
from testbed.simulate.tcp.segment import Segment
from testbed.simulate.tcp.settings import Settings

#: what a process waits for: it yields events, and gives back a value in the end
Waits = Generator[Event, Any, None]


class Connection:
    """One end; made by a host."""

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        local: tuple[str, int],
        remote: tuple[str, int],
        random: Random,
        emit: Callable[[Connection, Segment], None],
    ) -> None:
        self.local = local  #: address and port of this end
        self.remote = remote
        self.ttl = 64  #: of the packets that this end sends
        self.machine = Machine(clock, settings, (local[1], remote[1]), random, lambda segment: emit(self, segment))
        self.opening = Opening(self.machine, family=6 if ":" in local[0] else 4)
        self.on_standing: Callable[[], object] = lambda: None
        self.machine.on_change = self._wake
        self._clock = clock
        self._changed: Event | None = None

    def __repr__(self) -> str:
        return f"Connection({self.local[0]}:{self.local[1]} {self.remote[0]}:{self.remote[1]} {self.phase.value})"

    @property
    def phase(self) -> Phase:
        return self.machine.phase

    def handle(self, segment: Segment) -> None:
        """Take a segment that has come."""
        if self.phase not in (Phase.SYN_SENT, Phase.SYN_RECEIVED):
            self.machine.handle(segment)
        elif self.opening.handle(segment):
            self.on_standing()
            self._wake()
        if self.phase is Phase.CLOSED:
            self.opening.stop()

    # -- what programs call -------------------------------------------------------------------------------------------

    def opened(self, limit_s: float | None = None) -> Waits:
        """Wait until the connection stands. Raises what broke it, or TimeoutError."""
        until_ns = self._until(limit_s)
        while self.machine.phase in (Phase.SYN_SENT, Phase.SYN_RECEIVED):
            try:
                yield from self._wait(until_ns)
            except TimeoutError:
                self.abort()
                raise
        if self.machine.error is not None:
            raise self.machine.error

    def send(self, data: bytes, limit_s: float | None = None) -> Waits:
        """Send bytes; waits while more than the send buffer holds is left to be sent."""
        machine = self.machine
        self._refuse_if_broken()
        if machine.phase not in (Phase.ESTABLISHED, Phase.CLOSE_WAIT):
            raise BrokenPipeError("broken pipe")
        machine.sender.write(data)
        until_ns = self._until(limit_s)
        while machine.sender.unsent > machine.settings.send_buffer:
            machine.room_wanted = True
            yield from self._wait(until_ns)
            self._refuse_if_broken()
        machine.room_wanted = False

    def put(self, data: bytes) -> None:
        """Send bytes without waiting for room; on a connection that is broken or ended they are lost."""
        machine = self.machine
        if machine.error is None and machine.phase in (Phase.ESTABLISHED, Phase.CLOSE_WAIT):
            machine.sender.write(data)

    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, bytes]:
        """Wait for bytes and return all there are; b"" at the other end's end."""
        machine = self.machine
        until_ns = self._until(limit_s)
        while not machine.inbox:
            self._refuse_if_broken()
            if machine.ended or machine.phase is Phase.CLOSED:
                return b""
            machine.data_wanted = True
            try:
                yield from self._wait(until_ns)
            except TimeoutError:
                machine.data_wanted = False
                raise
        return machine.read()

    def shutdown(self) -> None:
        """Say that no more will be sent; what comes can still be received."""
        self.machine.finish()

    def close(self) -> None:
        """End the connection: by a FIN, or by a RST if there is something that nobody will read (RFC 2525, 2.17)."""
        if self.machine.inbox or self.machine.phase in (Phase.SYN_SENT, Phase.SYN_RECEIVED):
            self.abort()
        else:
            self.machine.finish()

    def abort(self) -> None:
        """End the connection by a RST."""
        machine = self.machine
        self.opening.stop()
        if machine.phase in (Phase.SYN_SENT, Phase.TIME_WAIT, Phase.CLOSED):
            machine.fail(ConnectionAbortedError("connection aborted"))
            return
        machine.reset()
        machine.fail(ConnectionAbortedError("connection aborted"))

    # -- waiting ------------------------------------------------------------------------------------------------------

    def _refuse_if_broken(self) -> None:
        if self.machine.error is not None:
            raise self.machine.error

    def _until(self, limit_s: float | None) -> int | None:
        return None if limit_s is None else self._clock.now_ns + round(limit_s * SECOND_NS)

    def _wait(self, until_ns: int | None) -> Waits:
        """Wait until something has changed. Raises TimeoutError when the time has come."""
        if self._changed is None:
            self._changed = Event(self._clock)
        if until_ns is None:
            yield self._changed
            return
        left_ns = until_ns - self._clock.now_ns
        if left_ns <= 0:
            raise TimeoutError("timed out")
        yield self._changed | self._clock.after(left_ns, _nothing)
        if self._clock.now_ns >= until_ns and self._changed is not None:
            raise TimeoutError("timed out")

    def _wake(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.succeed()


def quietly(serving: Generator[Event, Any, Any]) -> Generator[Event, Any, None]:
    """Serve; a server's connections may break, and that is no failure of the simulation."""
    try:
        yield from serving
    except OSError:
        return


def _nothing(_: Event) -> None:
    """A time has come; who waits for it looks at the clock."""
