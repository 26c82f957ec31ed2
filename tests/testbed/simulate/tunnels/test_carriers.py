"""What carries messages: a policed connection loses what does not fit, and frames come whole."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from testbed.simulate.tunnels.carriers import Hear, TcpCarrier, TcpListener, UdpCarrier, UdpListener
from tests.testbed.simulate.tunnels.made import lab_with


def test_messages_over_tcp_come_whole_and_in_order() -> None:
    lab = lab_with()
    relay, client = lab.host("relay"), lab.client
    at_server: list[bytes] = []
    at_client: list[bytes] = []
    broken: list[OSError] = []
    listener = TcpListener(relay, relay.ipv4, 443)

    def serve(place: tuple[str, int]) -> Hear:
        def hear(message: bytes, port: int) -> None:
            at_server.append(message)
            listener.send(message[::-1], port, place)

        return hear

    carrier = TcpCarrier(
        client, relay.ipv4, listener, lambda one, _: at_client.append(one), serve,
        port=443, source=client.ipv4, broken=broken.append,
    )  # fmt: skip
    sent = [bytes([number]) * (number * 300 + 1) for number in range(12)]

    def person() -> Generator[Event, Any, None]:
        yield from carrier.open(5.0)
        for one in sent:
            carrier.send(one, 443)
        yield lab.clock.wait(2.0)
        carrier.close()
        yield lab.clock.wait(1.0)

    lab.run(person())
    assert at_server == sent
    assert at_client == [one[::-1] for one in sent]
    assert broken == []


def test_a_client_over_udp_may_come_from_the_servers_port() -> None:
    lab = lab_with()
    relay, client = lab.host("relay"), lab.client
    places: list[tuple[str, int]] = []
    listener = UdpListener(relay, relay.ipv4, (500, 4500))

    def serve(place: tuple[str, int]) -> Hear:
        return lambda message, port: places.append((place[0], port)) if place[1] == port else None

    carrier = UdpCarrier(
        client, relay.ipv4, listener, lambda one, port: None, serve,
        ports=(500, 4500), own_port=True, source="",
    )  # fmt: skip

    def person() -> Generator[Event, Any, None]:
        yield from carrier.open(5.0)
        carrier.send(b"one", 500)
        carrier.send(b"two", 4500)
        yield lab.clock.wait(1.0)
        carrier.close()
        carrier.send(b"lost", 500)
        yield lab.clock.wait(1.0)

    lab.run(person())
    assert places == [(client.ipv4, 500), (client.ipv4, 4500)]
