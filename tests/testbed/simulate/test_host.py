"""Hosts: ports, refusals, ICMP, hooks; and that a seed decides all."""

from __future__ import annotations

from collections.abc import Callable, Generator
from hashlib import sha256
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.inet6 import IPv6
from simpy.events import Event

from middlebox.policy import Policy
from testbed.simulate.host import Host
from testbed.simulate.network import Network
from testbed.simulate.tcp import Connection
from testbed.topology import shipped


class Web:
    """A client and a server that answers each line with what it got, in capitals."""

    def __init__(self, topology: str = "small", *, seed: int = 1, box: str = "") -> None:
        self.network = Network(shipped(topology), seed=seed)
        if box:
            self.network.install("box", Policy.load(box))
        self.client = Host(self.network, "client")
        self.web = Host(self.network, "web")
        self.web.listen(80, self.serve)

    def serve(self, connection: Connection) -> Generator[Event, Any, None]:
        while data := (yield from connection.receive()):
            yield from connection.send(data.upper())
        connection.close()

    def ask(
        self,
        address: str = "203.0.113.1",
        port: int = 80,
        *,
        data: bytes = b"hello",
        limit_s: float = 5,
        source: str = "",
    ) -> Generator[Event, Any, bytes | str]:
        try:
            connection = yield from self.client.connect(address, port, limit_s=limit_s, source=source)
            yield from connection.send(data)
            got = b""
            while len(got) < len(data):
                got += yield from connection.receive(limit_s)
            connection.close()
            return got
        except OSError as error:
            return f"{type(error).__name__}: {error}"

    def do(self, process: Generator[Event, Any, Any], seconds: float = 100) -> Any:  # noqa: ANN401
        started = self.network.clock.process(process)
        self.network.clock.run_for(seconds)
        assert not started.is_alive
        return started.value


@pytest.mark.parametrize("topology", ["small", "national", "asymmetric", "two-boxes"])
@pytest.mark.parametrize("address", ["203.0.113.1", "2001:db8:203::1"])
def test_a_question_is_answered_over_either_family(topology: str, address: str) -> None:
    web = Web(topology)
    assert web.do(web.ask(address)) == b"HELLO"


def test_a_closed_port_refuses_and_a_silent_address_times_out() -> None:
    web = Web()
    assert web.do(web.ask(port=81)) == "ConnectionRefusedError: connection refused"
    assert web.do(web.ask("203.0.113.99")) == "TimeoutError: timed out"
    web.web.add_address("203.0.113.99")
    assert web.do(web.ask("203.0.113.99")) == b"HELLO"


def test_a_client_may_come_from_any_address_of_its_block() -> None:
    web = Web()
    seen: list[str] = []
    web.network.watch(lambda name, way, t_ns, raw: seen.append(IP(raw).src) if (name, way) == ("web", "in") else None)
    assert web.do(web.ask(source="10.0.3.200")) == b"HELLO"
    assert set(seen) == {"10.0.3.200"}


def test_a_ttl_that_ends_on_the_way_is_no_route() -> None:
    web = Web()
    web.client.outgoing = lambda raw: [bytes(_with(IP(raw), ttl=1))]
    assert web.do(web.ask()) == "OSError: [Errno 113] No route to host"


def _with(packet: Any, **fields: Any) -> Any:  # noqa: ANN401
    for name, value in fields.items():
        setattr(packet, name, value)
    del packet.chksum
    return packet


def test_what_leaves_and_what_comes_passes_the_hooks() -> None:
    web = Web()
    out: list[bytes] = []

    def split(raw: bytes) -> list[bytes]:
        """Send each segment with data in two, the second one first."""
        packet = IP(raw)
        data = bytes(packet[TCP].payload)
        if not data:
            return [raw]
        parts = []
        for begin, end in ((3, len(data)), (0, 3)):
            part = packet.copy()
            part[TCP].remove_payload()
            part = part / data[begin:end]
            part[TCP].seq += begin
            del part.len, part.chksum, part[TCP].chksum
            parts.append(bytes(part))
        out.extend(parts)
        return parts

    web.client.outgoing = split
    came: list[bytes] = []
    web.web.incoming = lambda raw: came.append(raw) or [raw]  # type: ignore[func-returns-value]
    assert web.do(web.ask()) == b"HELLO"
    assert [bytes(IP(raw)[TCP].payload) for raw in out] == [b"lo", b"hel"]
    assert [bytes(IP(raw)[TCP].payload) for raw in came if bytes(IP(raw)[TCP].payload)] == [b"lo", b"hel"]


def test_a_fake_that_dies_on_the_way_is_not_read_by_the_server() -> None:
    web = Web("national")
    path = web.network.hops("client", "web")

    def fake(raw: bytes) -> list[bytes]:
        packet = IP(raw)
        data = bytes(packet[TCP].payload)
        if not data:
            return [raw]
        forged = packet.copy()
        forged[TCP].remove_payload()
        forged = forged / (b"x" * len(data))
        forged.ttl = path - 1
        del forged.chksum, forged[TCP].chksum
        return [bytes(forged), raw]

    web.client.outgoing = fake
    assert web.do(web.ask()) == b"HELLO"


def test_a_wrong_checksum_is_not_believed() -> None:
    web = Web()
    injected = iter([True])

    def twice(raw: bytes) -> list[bytes]:
        packet = IP(raw)
        if not bytes(packet[TCP].payload) or not next(injected, False):
            return [raw]
        wrong = raw[:-5] + b"WRONG"
        return [wrong, raw]

    web.client.outgoing = twice
    assert web.do(web.ask()) == b"HELLO"
    assert web.web.dropped == 1


def pieces(raw: bytes, size: int) -> list[bytes]:
    return [bytes(one) for one in fragment(IP(raw), size)]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("order", [1, -1])
def test_fragments_are_put_together_in_any_order(order: int) -> None:
    web = Web("national")
    web.client.outgoing = lambda raw: pieces(raw, 24)[::order]
    assert web.do(web.ask(data=b"hello" * 50)) == b"HELLO" * 50


def test_fragments_that_disagree_are_thrown_away() -> None:
    web = Web()
    fated = iter([True])

    def disagree(raw: bytes) -> list[bytes]:
        if not bytes(IP(raw)[TCP].payload) or not next(fated, False):
            return [raw]
        first, second = pieces(raw, 48)
        return [second[:20] + bytes(len(second) - 20), second, first]

    web.client.outgoing = disagree
    assert web.do(web.ask(data=b"hello" * 8)) == b"HELLO" * 8  # sent again
    assert web.web.dropped >= 1


def test_ports_and_addresses_are_used_once() -> None:
    web = Web()
    with pytest.raises(ValueError, match="host 'web' listens at port 80"):
        web.web.listen(80, web.serve)
    with pytest.raises(ValueError, match=r"address 10\.9\.9\.9 is not in the blocks of host 'web'"):
        web.web.add_address("10.9.9.9")
    ports = {web.client._free_port("10.0.0.1") for _ in range(100)}
    assert len(ports) == 100


def trace(seed: int, change: Callable[[Web], None] | None = None) -> str:
    """The digest of all packets of three questions, with their times."""
    web = Web("national", seed=seed, box="sni-drop")
    kept = sha256()
    web.network.watch(lambda name, way, t_ns, raw: kept.update(f"{name}{way}{t_ns}".encode() + raw))
    if change is not None:
        change(web)
    for address in ("203.0.113.1", "2001:db8:203::1"):
        assert web.do(web.ask(address, data=bytes(30_000))) == bytes(30_000)
    return kept.hexdigest()


def test_a_seed_decides_every_byte_and_every_time() -> None:
    assert trace(1) == trace(1) != trace(2)


def test_what_another_host_draws_changes_nothing() -> None:
    def draw(web: Web) -> None:
        Host(web.network, "client2")._random.random()

    assert trace(1, draw) == trace(1)


def test_ipv6_packets_carry_their_ttl() -> None:
    web = Web()
    seen: list[int] = []
    web.network.watch(lambda name, way, t_ns, raw: seen.append(IPv6(raw).hlim) if way == "in" else None)
    assert web.do(web.ask("2001:db8:203::1")) == b"HELLO"
    assert set(seen) == {64 - web.network.hops("client", "web")}
