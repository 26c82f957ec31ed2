"""The simulated web server: the lab's sites, each with its certificate and its pages, over HTTP and HTTPS.

Each site is served at its own address only, so that a forged address leads to the wrong certificate or to nobody, as it
would outside. What it answers is what the lab's nginx is told in `emulate.services`.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from simpy.events import Event

from testbed import pages
from testbed.simulate import http
from testbed.simulate.certificates import site_pem
from testbed.simulate.entropy import Entropy
from testbed.simulate.host import Host
from testbed.simulate.tcp import Connection
from testbed.simulate.tls import Secure, server_context, take
from testbed.sites import Site

HTTP, HTTPS = 80, 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered to a request, over whichever HTTP."""

    body: bytes
    status: int = 200
    kind: str = "text/plain"
    fields: Mapping[str, str] = field(default_factory=dict)


class Web:
    """The server of one host."""

    def __init__(self, host: Host, sites: Sequence[Site], entropy: Entropy) -> None:
        self._host = host
        self._entropy = entropy
        self._names: dict[str, set[str]] = {}  # by address
        self._contexts: dict[str, ssl.SSLContext] = {}  # by name
        self._defaults: dict[str, ssl.SSLContext] = {}  # by address: for who names no site that lives there
        for site in sites:
            self._contexts[site.name] = self._context((site.name,), ())
            for address in (site.ipv4, site.ipv6):
                self._names.setdefault(address, set()).add(site.name)
        for address, both in {one: (site.ipv4, site.ipv6) for site in sites for one in (site.ipv4, site.ipv6)}.items():
            host.add_address(address)
            context = self._context((), both)
            context.sni_callback = self._chooser(address)
            self._defaults[address] = context
            host.listen(HTTP, self._serve_plain, address=address)
            host.listen(HTTPS, self._serve_secure, address=address)

    def _context(self, names: tuple[str, ...], addresses: tuple[str, ...]) -> ssl.SSLContext:
        def load(context: ssl.SSLContext) -> None:
            for browsers in (False, True):  # TLS takes the first of the two that a hello offers a signature for
                take(context, site_pem(names, addresses, for_browsers=browsers))

        return server_context(load, self._entropy)

    def _chooser(self, address: str) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], None]:
        """Who names a site that lives at this address gets its certificate."""

        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name is not None and name in self._names[address]:
                tls.context = self._contexts[name]

        return choose

    def _serve_plain(self, connection: Connection) -> Generator[Event, Any, None]:
        yield from self._serve(connection, connection)
        connection.close()

    def _serve_secure(self, connection: Connection) -> Generator[Event, Any, None]:
        secure = Secure(connection, self._defaults[connection.local[0]], self._entropy, self._host.clock, serves=True)
        try:
            yield from secure.handshake()
            yield from self._serve(secure, connection)
        except (ssl.SSLError, EOFError):
            connection.close()
            return
        secure.close()

    def _serve(self, stream: http.Stream, connection: Connection) -> Generator[Event, Any, None]:
        """Answer requests until the client says no more."""
        reader = http.Reader(stream)
        try:
            while (head := (yield from reader.head())) is not None:
                left = head.length or 0
                while left:
                    data = yield from reader.some(left)
                    if not data:
                        return
                    left -= len(data)
                yield from stream.send(self._answer(head, connection))
        except http.HttpError:
            yield from stream.send(http.response(b"", status=400))
        except EOFError:
            return

    def _answer(self, head: http.Head, connection: Connection) -> bytes:
        method, path, _ = head.words
        name = head.fields.get("host", "").partition(":")[0].lower()
        address, asker = connection.local[0], connection.remote[0]
        if path == "/upload" and method in ("POST", "PUT"):
            return http.response(f"received {head.length or 0}\n".encode())
        said = self.answer(address, name, path, head.fields.get("range", ""), asker)
        fields = "".join(f"{one}: {value}\r\n" for one, value in said.fields.items())
        return http.response(said.body, status=said.status, kind=said.kind, fields=fields)

    def answer(self, address: str, name: str, path: str, range_: str, asker: str) -> Answer:
        """What is at a path of a name, at this address, for whom asks from `asker`; `range_`: as the field says it."""
        here = name in self._names[address]
        if path == "/":
            return Answer(body=f"This is {name if here else 'the default site'} at {address}.\n".encode())
        if path == "/page":
            return Answer(
                body=pages.page(name if here else f"the default site at {address}").encode(), kind="text/html"
            )
        if path == "/where":
            return Answer(body=f"{asker}\n".encode())
        size = pages.OBJECTS.get(path.removeprefix("/object/")) if path.startswith("/object/") else None
        if size is None:
            return Answer(body=b"not found\n", status=404)
        first, last = _range(range_, size)
        return Answer(
            body=_content()[first : last + 1],
            status=206 if range_ else 200,
            kind="application/octet-stream",
            fields={"X-From": asker},
        )

    @property
    def names(self) -> Mapping[str, set[str]]:
        """Who lives at each address."""
        return self._names


def _range(said: str, size: int) -> tuple[int, int]:
    """The first and the last byte that are asked for, of so many (RFC 9110, 14.1.2; one range, with both ends)."""
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", said)
    return (int(found[1]), min(int(found[2]), size - 1)) if found else (0, size - 1)


@cache
def _content() -> bytes:
    return pages.noise()
