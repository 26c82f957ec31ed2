"""HTTP messages, and what is none."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from testbed.simulate import http


class Given:
    """A stream that gives these pieces and then ends."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def send(self, data: bytes, limit_s: float | None = None) -> Generator[Event, Any, None]:
        raise AssertionError("nothing is sent")
        yield  # pragma: no cover

    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, bytes]:
        return self._pieces.pop(0) if self._pieces else b""
        yield  # pragma: no cover


def done(process: Generator[Event, Any, Any]) -> Any:  # noqa: ANN401
    try:
        next(process)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def test_messages_are_read_one_after_another_from_any_pieces() -> None:
    both = http.request("a.example", "/upload", method="POST", body=b"12345") + http.request("b.example", "/page")
    for size in (1, 7, 1_000):
        reader = http.Reader(Given(*(both[at : at + size] for at in range(0, len(both), size))))
        head = done(reader.head())
        assert (head.words[:2], head.fields["host"], head.length) == (("POST", "/upload"), "a.example", 5)
        body = b""
        while len(body) < 5:
            body += done(reader.some(5 - len(body)))
        assert body == b"12345"
        head = done(reader.head())
        assert (head.words[:2], head.fields["host"], head.length) == (("GET", "/page"), "b.example", None)
        assert done(reader.head()) is None


def test_a_response_tells_its_length() -> None:
    head = done(http.Reader(Given(http.response(b"not found", status=404))).head())
    assert (head.words, head.length) == (("HTTP/1.1", "404", "Not Found"), 9)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"\x16\x03\x01\0\0\r\n\r\n", "begins no HTTP message"),
        (b"GET / HTTP/1.1\r\nnonsense\r\n\r\n", "'nonsense' is no header field"),
        (bytes(40_000), "a head of more than 32768 bytes"),
    ],
)
def test_what_is_no_http_is_said(said: bytes, error: str) -> None:
    with pytest.raises(http.HttpError, match=error):
        done(http.Reader(Given(said)).head())


def test_an_end_in_the_middle_of_a_head_is_an_error() -> None:
    with pytest.raises(EOFError):
        done(http.Reader(Given(b"GET / HT")).head())
