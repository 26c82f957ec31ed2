"""HTTP/1.1 over whatever carries bytes (RFC 9112): requests, and responses of a length that is told.

It keeps connections open, follows nothing, and knows neither chunks nor compression.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from simpy.events import Event

#: bytes of a head; what is longer is refused
MAX_HEAD = 32_768
#: when simulated servers say that it is: they read no clock
_DATE = "Wed, 01 Jan 2025 00:00:00 GMT"


class Stream(Protocol):
    """What carries bytes: a connection, or TLS over one."""

    def send(self, data: bytes, limit_s: float | None = None) -> Generator[Event, Any, None]: ...
    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, bytes]: ...


class HttpError(ValueError):
    """What has come is no HTTP."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a message: its first line in three words, and its fields by their names in small letters."""

    words: tuple[str, str, str]
    fields: Mapping[str, str]

    @property
    def length(self) -> int | None:
        """Bytes of the body; None if it goes on to the connection's end."""
        said = self.fields.get("content-length")
        return int(said) if said is not None and said.isdigit() else None


class Reader:
    """Reads one message after another."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left = b""

    def head(self, limit_s: float | None = None) -> Generator[Event, Any, Head | None]:
        """The next head; None if the other end says no more. Raises HttpError, and EOFError in the middle of it."""
        while b"\r\n\r\n" not in self._left:
            if len(self._left) > MAX_HEAD:
                raise HttpError(f"a head of more than {MAX_HEAD} bytes")
            data = yield from self._stream.receive(limit_s)
            if not data:
                if self._left:
                    raise EOFError("the connection ended in the middle of a head")
                return None
            self._left += data
        raw, _, self._left = self._left.partition(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if len(words) < 2 or "HTTP/" not in first:
            raise HttpError(f"'{first[:80]}' begins no HTTP message")
        fields = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise HttpError(f"'{line[:80]}' is no header field")
            fields[name.strip().lower()] = value.strip()
        return Head((words[0], words[1], words[2] if len(words) > 2 else ""), fields)

    def some(self, most: int | None, limit_s: float | None = None) -> Generator[Event, Any, bytes]:
        """Some bytes of a body, at most so many; b"" at the connection's end."""
        if not self._left:
            self._left = yield from self._stream.receive(limit_s)
        data, self._left = (self._left, b"") if most is None else (self._left[:most], self._left[most:])
        return data


def request(host: str, path: str = "/", *, method: str = "GET", body: bytes = b"", fields: str = "") -> bytes:
    """A request as curl makes it; `fields`: further ones, each with its end of line."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: penstock\r\nAccept: */*\r\n{fields}{length}\r\n"
    return head.encode() + body


def response(body: bytes, *, status: int = 200, kind: str = "text/plain", fields: str = "") -> bytes:
    """A response as the lab's server makes it; `fields`: further ones, each with its end of line."""
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nServer: nginx\r\nDate: {_DATE}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n{fields}\r\n"
    )
    return head.encode() + body
