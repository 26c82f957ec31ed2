"""Connections as programs see them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from testbed.simulate.tcp import Settings
from testbed.simulate.tcp.phase import Phase
from tests.testbed.simulate.tcp.pair import Pair, everything, said


def test_what_is_said_is_heard_and_the_end_too() -> None:
    pair = Pair().open()
    assert pair.do(everything(pair.server), said(pair.client, b"hello"), seconds=5)[0] == b"hello"


def test_after_its_own_end_a_program_still_hears_the_other() -> None:
    pair = Pair().open()

    def server() -> Generator[Event, Any, None]:
        asked = yield from everything(pair.server)
        yield from pair.server.send(asked * 3)
        pair.server.shutdown()

    assert pair.do(everything(pair.client), server(), said(pair.client, b"ab"), seconds=5)[0] == b"ababab"


def test_waiting_has_a_limit() -> None:
    pair = Pair().open()
    begin = pair.clock.elapsed_s

    def client() -> Generator[Event, Any, float]:
        with pytest.raises(TimeoutError, match="timed out"):
            yield from pair.client.receive(limit_s=1.5)
        return pair.clock.elapsed_s - begin

    assert pair.do(client(), seconds=5) == [1.5]
    assert pair.client.phase is Phase.ESTABLISHED


def test_a_server_that_never_answers_costs_the_limit_and_no_more() -> None:
    pair = Pair()
    pair.there = lambda segment: []

    def client() -> Generator[Event, Any, float]:
        pair.client.opening.ask()
        with pytest.raises(TimeoutError):
            yield from pair.client.opened(limit_s=2.5)
        return pair.clock.elapsed_s

    assert pair.do(client(), seconds=20) == [2.5]
    assert len(pair.sent_by("client")) == 3


def test_who_sends_more_than_the_buffer_holds_must_wait() -> None:
    pair = Pair(server=Settings(send_buffer=50_000), client=Settings(first_window=20_000, most_window=20_000)).open()
    sending = pair.clock.process(pair.server.send(bytes(200_000)))
    pair.clock.run_for(1)
    assert sending.is_alive
    pair.clock.process(everything(pair.client))
    pair.clock.run_for(5)
    assert not sending.is_alive


def test_an_abort_resets_the_other_end_after_what_it_has() -> None:
    pair = Pair().open()

    def client() -> Generator[Event, Any, bytes]:
        got = yield from pair.client.receive()
        with pytest.raises(ConnectionResetError, match="connection reset by peer"):
            yield from pair.client.receive()
        with pytest.raises(ConnectionResetError):
            yield from pair.client.send(b"more")
        return got

    def server() -> Generator[Event, Any, None]:
        yield from pair.server.send(b"first")
        pair.server.abort()

    assert pair.do(client(), server(), seconds=5)[0] == b"first"


def test_closing_with_something_unread_resets() -> None:
    pair = Pair().open()
    pair.do(pair.client.send(b"unread"), seconds=0.5)
    pair.server.close()
    pair.clock.run_for(0.1)
    assert isinstance(pair.client.machine.error, ConnectionResetError)


def test_closing_otherwise_is_an_end() -> None:
    pair = Pair().open()
    pair.server.close()
    assert pair.do(everything(pair.client), seconds=1) == [b""]
    with pytest.raises(BrokenPipeError):
        next(iter(pair.server.send(b"late")))


def test_a_connection_names_its_ends() -> None:
    assert repr(Pair().open().client) == "Connection(10.0.0.1:40000 203.0.113.1:443 established)"
