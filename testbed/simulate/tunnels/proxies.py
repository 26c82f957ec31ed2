"""What `ssh -D` and Shadowsocks share: a stream through a proxy, which programs use like a connection."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock


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
        self._changed = Event(clock)

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
                yield self._changed
                continue
            left_ns = until_ns - self._clock.now_ns
            if left_ns <= 0:
                raise TimeoutError("timed out")
            yield self._changed | self._clock.wait(left_ns / SECOND_NS)
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
        self._tell()

    def ended(self, error: OSError | None = None) -> None:
        """No more comes."""
        self._over, self._error = True, error
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, Event(self._clock)
        changed.succeed()
