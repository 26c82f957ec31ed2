"""TLS over simulated connections: whole, broken, and with the wrong certificate."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Generator
from random import Random
from typing import Any

import pytest
from simpy.events import Event

from testbed.simulate.certificates import authority_pem, site_pem
from testbed.simulate.entropy import Entropy
from testbed.simulate.tls import Secure, client_context, server_context
from tests.testbed.simulate.tcp.pair import Pair

NAME = "blocked.example"


class Talk:
    """A client and a server that speak TLS."""

    def __init__(self, *, says: str = NAME, seed: int = 1) -> None:
        self.pair = Pair().open()
        self.entropy = Entropy(Random(seed))
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(site_pem((NAME,)))
            file.flush()
            served = server_context(lambda context: context.load_cert_chain(file.name), self.entropy)
        asked = client_context(authority_pem(), self.entropy)
        clock = self.pair.clock
        self.client = Secure(self.pair.client, asked, self.entropy, clock, name=says)
        self.server = Secure(self.pair.server, served, self.entropy, clock, serves=True)

    def echo(self) -> Generator[Event, Any, None]:
        yield from self.server.handshake()
        while data := (yield from self.server.receive()):
            yield from self.server.send(data.upper())
        self.server.close()


def test_what_is_said_is_answered_and_the_end_is_a_goodbye() -> None:
    talk = Talk()
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


def test_the_first_segment_is_a_real_hello_with_the_name() -> None:
    talk = Talk()
    talk.pair.clock.process(talk.client.handshake())
    talk.pair.clock.run_for(0.01)
    first = next(segment for segment in talk.pair.sent_by("client") if segment.payload)
    assert first.payload[:3] == b"\x16\x03\x01"
    assert NAME.encode() in first.payload
    assert 200 < len(first.payload) <= 1_448


def test_another_name_is_refused_by_the_client() -> None:
    talk = Talk(says="other.example")
    talk.pair.clock.process(talk.echo()).defused = True

    def client() -> Generator[Event, Any, int]:
        try:
            yield from talk.client.handshake(limit_s=5)
        except ssl.SSLCertVerificationError as error:
            talk.pair.client.abort()
            return error.verify_code
        return 0

    process = talk.pair.clock.process(client())
    talk.pair.clock.run(until=process)
    assert process.value == 62  # X509_V_ERR_HOSTNAME_MISMATCH


def test_an_end_in_the_handshake_is_an_error_and_later_an_end() -> None:
    talk = Talk()

    def server() -> Generator[Event, Any, None]:
        yield from talk.server.handshake()
        talk.pair.server.close()

    def client() -> Generator[Event, Any, bytes]:
        yield from talk.client.handshake()
        return (yield from talk.client.receive(limit_s=5))

    assert talk.pair.do(client(), server(), seconds=20)[0] == b""

    early = Talk()
    early.pair.server.close()

    def refused() -> Generator[Event, Any, None]:
        with pytest.raises(EOFError):
            yield from early.client.handshake()

    early.pair.do(refused(), seconds=20)


def test_a_handshake_has_a_limit() -> None:
    talk = Talk()

    def client() -> Generator[Event, Any, float]:
        begin = talk.pair.clock.elapsed_s
        with pytest.raises(TimeoutError):
            yield from talk.client.handshake(limit_s=2)
        return talk.pair.clock.elapsed_s - begin

    assert talk.pair.do(client(), seconds=20) == [pytest.approx(2)]
