"""The client with a browser's hello, against Python's own TLS as the server."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Generator
from random import Random
from typing import Any

import pytest
from simpy.events import Event

from testbed.simulate import hellos
from testbed.simulate.certificates import authority_pem, site_pem
from testbed.simulate.entropy import Entropy
from testbed.simulate.imitated import Imitated
from testbed.simulate.tls import Secure, server_context
from tests.testbed.simulate.tcp.pair import Pair

NAME = "blocked.example"


class Talk:
    """A browser and a server."""

    def __init__(self, *, browser: str = "chrome131", says: str = NAME, rsa: bool = True) -> None:
        self.pair = Pair().open()
        entropy = Entropy(Random(1))
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(site_pem((NAME,), for_browsers=rsa))
            file.flush()
            served = server_context(lambda context: context.load_cert_chain(file.name), entropy)
        hello = hellos.make(browser, says, Random(1))
        clock = self.pair.clock
        self.client = Imitated(self.pair.client, hello, clock, name=says, authority=authority_pem())
        self.server = Secure(self.pair.server, served, entropy, clock, serves=True)

    def echo(self) -> Generator[Event, Any, None]:
        yield from self.server.handshake()
        while data := (yield from self.server.receive()):
            yield from self.server.send(data.upper())
        self.server.close()

    def fails(self, kind: type[Exception], match: str) -> None:
        def client() -> Generator[Event, Any, None]:
            with pytest.raises(kind, match=match):
                yield from self.client.handshake(limit_s=5)
            self.pair.client.abort()

        self.pair.clock.process(self.echo()).defused = True
        self.pair.clock.run(until=self.pair.clock.process(client()))


@pytest.mark.parametrize("browser", ["chrome131", "firefox135"])
def test_what_is_said_is_answered_and_the_end_is_a_goodbye(browser: str) -> None:
    talk = Talk(browser=browser)
    said = b"hello" * 20_000

    def client() -> Generator[Event, Any, bytes]:
        yield from talk.client.handshake(limit_s=5)
        yield from talk.client.send(said)
        got = b""
        while len(got) < len(said):
            got += yield from talk.client.receive(limit_s=5)
        talk.client.close()
        return got

    assert talk.pair.do(client(), talk.echo(), seconds=20)[0] == said.upper()


def test_another_name_is_refused_by_the_client() -> None:
    Talk(says="other.example").fails(ssl.SSLCertVerificationError, "Hostname mismatch")


def test_a_server_without_rsa_refuses_a_browser() -> None:
    Talk(rsa=False).fails(ssl.SSLError, "alert")


def test_what_is_no_tls_is_an_error() -> None:
    talk = Talk()
    talk.pair.server.machine.sender.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    talk.fails(ssl.SSLError, "kind 72")


def test_an_end_in_the_handshake_is_an_error() -> None:
    talk = Talk()
    talk.pair.server.close()
    talk.fails(EOFError, "ended")
