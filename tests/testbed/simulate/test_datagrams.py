"""Datagrams and the sockets that wait for them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from simpy.events import Event

from testbed.simulate.datagrams import Datagram
from testbed.simulate.host import Host
from testbed.simulate.network import Network
from testbed.topology import shipped


def hosts() -> tuple[Network, Host, Host]:
    network = Network(shipped("small"), seed=1)
    return network, Host(network, "client"), Host(network, "web")


def test_a_datagram_is_read_by_scapy() -> None:
    seen = IP(Datagram(5, 6, b"hello").encode(src=b"\1" * 4, dst=b"\2" * 4, ttl=9, ip_id=8))
    assert (seen.ttl, seen.id, seen[UDP].sport, seen[UDP].dport, bytes(seen[UDP].payload)) == (9, 8, 5, 6, b"hello")


@pytest.mark.parametrize("family", [4, 6])
def test_a_question_is_answered_from_the_address_that_was_asked(family: int) -> None:
    network, client, web = hosts()
    web.add_address("203.0.113.77")
    target = "203.0.113.77" if family == 4 else web.ipv6
    server = web.datagrams(53)

    def serve() -> Generator[Event, Any, None]:
        data, remote, local = yield from server.receive_from()
        server.send(data.upper(), remote, source=local)

    def ask() -> Generator[Event, Any, tuple[bytes, tuple[str, int]]]:
        socket = client.datagrams(remote=(target, 53))
        socket.send(b"question")
        return (yield from socket.receive(limit_s=1))

    network.clock.process(serve())
    asking = network.clock.process(ask())
    network.clock.run()
    assert asking.value == (b"QUESTION", (target, 53))


def test_nobody_there_is_told_by_icmp_and_silence_by_the_time() -> None:
    network, client, web = hosts()
    web.incoming = lambda raw: [] if IP(raw)[UDP].dport == 2 else [raw]

    def ask(port: int) -> Generator[Event, Any, str]:
        socket = client.datagrams(remote=(web.ipv4, port))
        socket.send(b"question")
        try:
            yield from socket.receive(limit_s=1.5)
        except OSError as error:
            return f"{type(error).__name__} {network.clock.elapsed_s:.1f}"
        return ""

    asked = [network.clock.process(ask(port)) for port in (1, 2)]
    network.clock.run()
    assert [one.value for one in asked] == ["ConnectionRefusedError 0.0", "TimeoutError 1.5"]


def test_a_port_is_taken_until_its_socket_is_closed() -> None:
    _, client, _ = hosts()
    socket = client.datagrams(53)
    with pytest.raises(ValueError, match="has a socket at port 53"):
        client.datagrams(53)
    socket.close()
    assert client.datagrams(53).port == 53


def test_who_talks_with_all_is_told_of_no_error_and_who_talks_with_one_hears_no_other() -> None:
    network, client, web = hosts()
    open_to_all = client.datagrams()
    open_to_all.send(b"to nobody", (web.ipv4, 9))
    one = client.datagrams(remote=("203.0.113.2", 53))
    server = web.datagrams(53)
    server.send(b"from another", (client.ipv4, one.port))
    network.clock.run()
    for socket in (open_to_all, one):
        waiting = network.clock.process(socket.receive(limit_s=1))
        with pytest.raises(TimeoutError):
            network.clock.run(until=waiting)


def test_a_datagram_needs_a_target() -> None:
    with pytest.raises(ValueError, match="needs a target"):
        hosts()[1].datagrams().send(b"x")
