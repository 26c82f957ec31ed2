"""A stream through a proxy behaves like a connection: it waits, times out, ends, and tells what broke it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from testbed.simulate.clock import Clock
from testbed.simulate.tunnels.proxies import Relayed, place_of, target_of


def relayed(clock: Clock, sent: list[bytes], finished: list[bool]) -> Relayed:
    def write(data: bytes, limit_s: float | None) -> Generator[Event, Any, None]:
        sent.append(data)
        yield clock.wait(0)

    return Relayed(clock, ("10.0.0.1", 0), ("203.0.113.10", 443), write, sent.append, lambda: finished.append(True))


def test_bytes_wait_until_they_are_read_and_the_end_comes_after_them() -> None:
    clock = Clock()
    sent: list[bytes] = []
    finished: list[bool] = []
    one = relayed(clock, sent, finished)
    got: list[bytes] = []

    def reader() -> Generator[Event, Any, None]:
        yield from one.send(b"question")
        got.append((yield from one.receive()))
        got.append((yield from one.receive()))
        one.close()

    def writer() -> Generator[Event, Any, None]:
        yield clock.wait(1.0)
        one.arrived(b"an")
        one.arrived(b"swer")
        yield clock.wait(1.0)
        one.ended()

    clock.process(writer())
    clock.run(until=clock.process(reader()))
    assert (sent, got) == ([b"question"], [b"answer", b""])
    assert finished == []  # it had been ended by the other side


def test_it_times_out_and_tells_what_broke_it() -> None:
    clock = Clock()
    one = relayed(clock, [], [])

    def person() -> Generator[Event, Any, None]:
        with pytest.raises(TimeoutError):
            yield from one.receive(0.5)
        assert clock.elapsed_s == 0.5
        one.ended(ConnectionResetError("gone"))
        with pytest.raises(ConnectionResetError):
            yield from one.receive()
        with pytest.raises(ConnectionResetError):
            yield from one.send(b"more")

    clock.run(until=clock.process(person()))


def test_a_target_is_named_by_six_bytes() -> None:
    said = target_of("203.0.113.10", 443)
    assert said == bytes([203, 0, 113, 10, 1, 187])
    assert place_of(said + b"first bytes") == ("203.0.113.10", 443)
