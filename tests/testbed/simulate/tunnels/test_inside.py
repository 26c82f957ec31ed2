"""The inside of a tunnel: a host whose packets are bytes for the tunnel, no longer than it takes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from middlebox.packet import view
from testbed.simulate.clock import Clock
from testbed.simulate.tcp import DEFAULT
from testbed.simulate.tunnels.inside import Inside, host_inside


def test_a_connection_inside_is_made_of_packets_of_the_tunnels_size() -> None:
    clock = Clock()
    ends: list[Inside] = []
    sizes: list[int] = []

    def to(number: int, raw: bytes) -> None:
        sizes.append(len(raw))
        clock.after(1_000_000, lambda _: ends[number].deliver(raw))

    ends.append(Inside("one", "10.8.0.2", clock, 1, lambda raw: to(1, raw)))
    ends.append(Inside("two", "10.8.0.3", clock, 1, lambda raw: to(0, raw)))
    one, two = (host_inside(end, name, DEFAULT, 1_300) for end, name in zip(ends, ("one", "two"), strict=True))
    got: list[bytes] = []

    def serve(connection: Any) -> Generator[Event, Any, None]:  # noqa: ANN401
        while data := (yield from connection.receive()):
            got.append(data)

    two.listen(80, serve)

    def person() -> Generator[Event, Any, None]:
        connection = yield from one.connect("10.8.0.3", 80)
        yield from connection.send(bytes(5_000))
        yield clock.wait(1.0)

    clock.run(until=clock.process(person()))
    assert sum(map(len, got)) == 5_000
    assert max(sizes) == 1_300


def test_what_is_no_packet_is_dropped() -> None:
    clock = Clock()
    inside = Inside("one", "10.8.0.2", clock, 1, lambda raw: None)
    host = host_inside(inside, "one", DEFAULT, 1_400)
    inside.deliver(b"nothing")
    assert host.dropped == 0
    assert view(b"nothing") is None
