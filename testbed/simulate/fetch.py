"""A page by name, as `curl https://HOST/` gets it: look up, connect, TLS, request; what fails is named as by OONI.

It tries one address once, and follows nothing.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from simpy.events import Event

from testbed import failure
from testbed.simulate import hellos, http
from testbed.simulate.certificates import authority_pem
from testbed.simulate.clock import SECOND_NS, Clock
from testbed.simulate.entropy import Entropy
from testbed.simulate.host import Host
from testbed.simulate.imitated import Imitated
from testbed.simulate.names import look_up
from testbed.simulate.tcp import Settings
from testbed.simulate.tls import Carrying, Secure
from testbed.simulate.web import HTTP, HTTPS

#: what OpenSSL finds wrong with a certificate (openssl/x509_vfy.h): the name, and who has signed it
_WRONG_NAME, _UNKNOWN = (62, 64), (2, 18, 19, 20, 21)
_ERRORS = {
    errno.EHOSTUNREACH: failure.HOST_UNREACHABLE,
    errno.ENETUNREACH: failure.NETWORK_UNREACHABLE,
    errno.EACCES: failure.HOST_UNREACHABLE,
}


@dataclass(slots=True, kw_only=True)
class Fetched:
    """What came of one fetch; times in seconds from its beginning, None for what was never reached."""

    failure: str = ""
    status: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)  #: of the answer, by their names in small letters
    body: bytes = b""  #: as far as it has come
    address: str = ""  #: of the server that was asked
    looked_up_s: float | None = None
    connected_s: float | None = None
    secured_s: float | None = None
    first_byte_s: float | None = None
    seconds: float = 0.0
    note: str = ""  #: the error's own words


class Dialler(Protocol):
    """Who makes connections: a host, or the inside of a tunnel."""

    def connect(
        self,
        address: str,
        port: int,
        *,
        limit_s: float | None = None,
        source: str = "",
        settings: Settings | None = None,
    ) -> Generator[Event, Any, Carrying]: ...


def where(stream: Carrying, reader: http.Reader, name: str, left_s: Callable[[], float]) -> Generator[Event, Any, str]:
    """Ask a server of the lab where one comes from, on a connection that stands; `left_s`: seconds that are left.

    Raises EOFError, and what breaks a connection.
    """
    yield from stream.send(http.request(name, "/where"), left_s())
    head = yield from reader.head(left_s())
    if head is None or not head.length:
        raise EOFError("an answer without an address")
    body = b""
    while len(body) < head.length:
        part = yield from reader.some(head.length - len(body), left_s())
        if not part:
            raise EOFError("the answer ended before its end")
        body += part
    return body.decode(errors="replace").strip()


class _Limit:
    """The time that a fetch has taken, and what is left of its limit."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._begin_ns = clock.now_ns
        self._limit_s = limit_s

    @property
    def now_s(self) -> float:
        return (self._clock.now_ns - self._begin_ns) / SECOND_NS

    @property
    def left_s(self) -> float:
        return max(0.0, self._limit_s - self.now_s)


class Browser:
    """Fetches pages from one host."""

    def __init__(self, host: Host, resolver: str, context: ssl.SSLContext, entropy: Entropy, *, random: Random) -> None:
        self._host = host
        self._resolver = resolver
        self._context = context
        self._entropy = entropy
        self._random = random

    def fetch(
        self,
        name: str,
        path: str = "/",
        *,
        family: int = 4,
        limit_s: float = 10.0,
        source: tuple[str, str] = ("", ""),
        secure: bool = True,
        sni: bool = True,
        address: str = "",
        hello: str = "",
        settings: Settings | None = None,
        fields: str = "",
        through: Dialler | None = None,
        resolving: Host | None = None,
    ) -> Generator[Event, Any, Fetched]:
        """Fetch a page. `source`: the IPv4 and IPv6 address to come from; `address`: do not look the name up; `fields`:
        of the request, further ones, each with its end of line; `through`: a tunnel; `resolving`: who looks the name up
        then, if not this host.

        Without `sni` the certificate is that of the address, and the name is said inside TLS only. `hello`: a
        browser's, out of `hellos`. Names are looked up from a host's own address, as a machine's resolver does.
        """
        limit = _Limit(self._host.clock, limit_s)
        done = Fetched(address=address)
        try:
            if not address:
                found = yield from look_up(
                    resolving or self._host,
                    self._resolver,
                    name,
                    random=self._random,
                    family=family,
                    limit_s=limit_s,
                )
                if found.failure:
                    done.failure = found.failure
                    return done
                done.address = found.addresses[0]
                done.looked_up_s = limit.now_s
            connection = yield from (through or self._host).connect(
                done.address,
                HTTPS if secure else HTTP,
                limit_s=limit.left_s,
                source=source[1] if ":" in done.address else source[0],
                settings=settings,
            )
            done.connected_s = limit.now_s
            said = (name if sni else done.address) if secure else ""
            try:
                yield from self._converse(connection, http.request(name, path, fields=fields), said, hello, done, limit)
            except BaseException:
                connection.close()
                raise
        except (OSError, EOFError, http.HttpError) as error:
            done.failure, done.note = named(error), str(error)
        finally:
            done.seconds = limit.now_s
        return done

    def _converse(
        self, connection: Carrying, request: bytes, said: str, hello: str, done: Fetched, limit: _Limit
    ) -> Generator[Event, Any, None]:
        """TLS, request and answer on a connection that stands; `said`: the name for TLS, "" for none."""
        stream: Secure | Imitated | Carrying = connection
        if said:
            stream = secure = self._secure(connection, said, hello)
            yield from secure.handshake(limit.left_s)
            done.secured_s = limit.now_s
        yield from stream.send(request, limit.left_s)
        reader = http.Reader(stream)
        head = yield from reader.head(limit.left_s)
        if head is None:
            raise EOFError("the server ended the connection without an answer")
        done.first_byte_s = limit.now_s
        done.status = int(head.words[1]) if head.words[1].isdigit() else 0
        done.fields = head.fields
        parts: list[bytes] = []
        left = head.length
        try:
            while left != 0:
                data = yield from reader.some(left, limit.left_s)
                if not data:
                    if left is not None:
                        raise EOFError(f"the answer ended {left} bytes before its end")
                    break
                parts.append(data)
                left = None if left is None else left - len(data)
        finally:
            done.body = b"".join(parts)
        stream.close()

    def _secure(self, connection: Carrying, said: str, hello: str) -> Secure | Imitated:
        clock = self._host.clock
        if not hello:
            return Secure(connection, self._context, self._entropy, clock, name=said)
        made = hellos.make(hello, said, self._random)
        return Imitated(connection, made, clock, name=said, authority=authority_pem())


def named(error: Exception) -> str:
    """The failure that an error is, in OONI's words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_NAME:
            return failure.SSL_INVALID_HOSTNAME
        return failure.SSL_UNKNOWN_AUTHORITY if error.verify_code in _UNKNOWN else failure.SSL_INVALID_CERTIFICATE
    if isinstance(error, (EOFError, ssl.SSLEOFError)):
        return failure.EOF
    if isinstance(error, ssl.SSLError):
        return failure.SSL_FAILED
    if isinstance(error, TimeoutError):
        return failure.TIMEOUT
    if isinstance(error, BrokenPipeError):
        return failure.RESET
    if isinstance(error, OSError) and error.errno in _ERRORS:
        return _ERRORS[error.errno]
    return failure.from_text(str(error)) or failure.unknown(str(error))
