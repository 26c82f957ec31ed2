"""TLS over a simulated connection: Python's own, by memory buffers, so hellos and records are real.

It knows no certificates and no names beyond what it is given. There are no session tickets, since they hold the time
of the machine's clock, and bytes must be the same in every run.
"""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import Callable, Generator
from typing import Any, Protocol

from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock
from testbed.simulate.entropy import Entropy

#: what OpenSSL offers below TLS 1.3, and curl with it; builds of Python have lists of their own
_SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:DHE-RSA-AES256-SHA256:"
    "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:DHE-RSA-AES128-SHA256:"
    "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:DHE-RSA-AES256-SHA:"
    "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:DHE-RSA-AES128-SHA:"
    "AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA"
)
#: bytes of content in one read: a full record (RFC 8446, 5.1)
_RECORD = 16_384


class Carrying(Protocol):
    """What TLS goes over: a connection, or a stream through a proxy."""

    @property
    def local(self) -> tuple[str, int]: ...
    def send(self, data: bytes, limit_s: float | None = None) -> Generator[Event, Any, None]: ...
    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, bytes]: ...
    def put(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class Secure:
    """One end of a TLS connection; `handshake` comes first."""

    def __init__(
        self,
        connection: Carrying,
        context: ssl.SSLContext,
        entropy: Entropy,
        clock: Clock,
        *,
        serves: bool = False,
        name: str | None = None,
    ) -> None:
        """`name`: what the client says in SNI and expects in the certificate; None for no SNI."""
        self.connection = connection
        self._clock = clock
        self._entropy = entropy
        self._over = False
        self.came = 0  #: bytes that came on the connection, TLS and all
        self.came_ns = clock.now_ns  #: the last of them
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with entropy:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=serves, server_hostname=name)

    def handshake(self, limit_s: float | None = None) -> Generator[Event, Any, None]:
        """Agree on keys. Raises ssl.SSLError, EOFError at an early end, and what breaks a connection."""
        until_ns = None if limit_s is None else self._clock.now_ns + round(limit_s * SECOND_NS)
        while True:
            try:
                with self._entropy:
                    self._tls.do_handshake()
            except ssl.SSLWantReadError:
                yield from self._flush()
                yield from self._fill(until_ns)
                continue
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                raise EOFError("the connection ended in the handshake") from None
            except ssl.SSLError:
                yield from self._flush()  # the alert that says what is wrong
                raise
            yield from self._flush()
            return

    def send(self, data: bytes, limit_s: float | None = None) -> Generator[Event, Any, None]:
        """Send bytes; waits as the connection does."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        yield from self._flush(limit_s)

    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, bytes]:
        """Wait for bytes and return all there are; b"" at the other end's end.

        That end may come without a goodbye, which Python's TLS does not tell: HTTP counts what it was promised.
        """
        until_ns = None if limit_s is None else self._clock.now_ns + round(limit_s * SECOND_NS)
        while True:
            parts = list(iter(self._read, b""))
            if parts:
                return b"".join(parts)
            if self._over:
                return b""
            yield from self._fill(until_ns)

    def _read(self) -> bytes:
        try:
            data = self._tls.read(_RECORD)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:
            data = b""
        if not data:
            self._over = True
        return data

    def close(self) -> None:
        """Say goodbye, and end the connection."""
        with contextlib.suppress(ssl.SSLError, OSError):  # the other end has not said it yet, and need not
            self._tls.unwrap()
        said = self._outgoing.read()
        if said:
            self.connection.put(said)
        self.connection.close()

    def _flush(self, limit_s: float | None = None) -> Generator[Event, Any, None]:
        said = self._outgoing.read()
        if said:
            yield from self.connection.send(said, limit_s)

    def _fill(self, until_ns: int | None) -> Generator[Event, Any, None]:
        left_s = None if until_ns is None else max(0, until_ns - self._clock.now_ns) / SECOND_NS
        data = yield from self.connection.receive(left_s)
        if data:
            self.came += len(data)
            self.came_ns = self._clock.now_ns
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def take(context: ssl.SSLContext, pem: str) -> None:
    """Give a server its certificate and key."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # ssl reads certificates from files alone
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)


def client_context(authority: str, entropy: Entropy) -> ssl.SSLContext:
    """A client that trusts this authority (PEM) and speaks HTTP/1.1."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, entropy)
    context.load_verify_locations(cadata=authority)
    return context


def server_context(load: Callable[[ssl.SSLContext], None], entropy: Entropy) -> ssl.SSLContext:
    """A server; `load` gives it its certificate."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, entropy)
    context.num_tickets = 0
    load(context)
    return context


def _context(side: int, entropy: Entropy) -> ssl.SSLContext:
    """What builds and versions of Python set in different ways is set here: bytes must be the same in all of them."""
    with entropy:
        context = ssl.SSLContext(side)
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ssl.OPENSSL_VERSION_INFO >= (3, 5):
        # it sends longer hellos, and takes the ML-KEM key of a recorded one. Python 3.11 cannot say so
        with contextlib.suppress(ssl.SSLError):
            context.set_ecdh_curve("X25519")
    context.set_alpn_protocols(["http/1.1"])
    return context
