"""The simulated web server's sites, certificates and pages."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from testbed import failure
from testbed.pages import OBJECTS, noise, page
from testbed.simulate import http
from testbed.simulate.fetch import Fetched
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.web import HTTP


def fetch(name: str, path: str = "/", **options: object) -> Fetched:
    lab = SimulatedLab(topology="small")
    (done,) = lab.run(lab.browser.fetch(name, path, **options))  # type: ignore[arg-type]
    assert isinstance(done, Fetched)
    return done


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("family", [4, 6])
def test_each_site_says_its_name_and_address(family: int, secure: bool) -> None:
    done = fetch("innocent.example", family=family, secure=secure)
    address = "203.0.113.10" if family == 4 else "2001:db8:203::10"
    assert (done.status, done.body) == (200, f"This is innocent.example at {address}.\n".encode())


def test_pages_and_files_are_the_labs() -> None:
    assert fetch("innocent.example", "/page").body.decode() == page("innocent.example")
    assert len(fetch("innocent.example", "/object/100k").body) == OBJECTS["100k"]
    assert fetch("innocent.example", "/where").body == b"10.0.0.1\n"
    assert fetch("innocent.example", "/nothing").status == 404


def test_a_site_is_served_at_its_own_address_only() -> None:
    assert fetch("blocked.example", address="203.0.113.20").failure == failure.SSL_INVALID_HOSTNAME
    plain = fetch("blocked.example", address="203.0.113.20", secure=False)
    assert plain.body == b"This is the default site at 203.0.113.20.\n"
    assert fetch("blocked.example", address="203.0.113.99", limit_s=1).failure == failure.TIMEOUT
    assert fetch("blocked.example", address="203.0.113.1").failure == failure.REFUSED


def test_without_sni_the_certificate_is_that_of_the_address() -> None:
    done = fetch("blocked.example", sni=False)
    assert done.body == b"This is blocked.example at 203.0.113.10.\n"


def test_a_range_of_a_file_and_an_upload() -> None:
    lab = SimulatedLab()

    def talk() -> Generator[Event, Any, list[tuple[str, bytes]]]:
        connection = yield from lab.client.connect("203.0.113.10", HTTP)
        reader = http.Reader(connection)
        said = []
        for head, body in (
            (b"GET /object/10k HTTP/1.1\r\nRange: bytes=10-19\r\n\r\n", b""),
            (b"GET /object/10k HTTP/1.1\r\nRange: bytes=9990-99999\r\n\r\n", b""),
            (b"PUT /upload HTTP/1.1\r\nContent-Length: 7\r\n\r\n", b"content"),
        ):
            yield from connection.send(head + body)
            answer = yield from reader.head()
            assert answer is not None
            said.append((answer.words[1], (yield from reader.some(answer.length))))
        return said

    (said,) = lab.run(talk())
    assert said == [("206", noise()[10:20]), ("206", noise()[9_990:10_000]), ("200", b"received 7\n")]
