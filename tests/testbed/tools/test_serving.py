"""Servers with their clients: several at once, those that do not get through, and those whose lab is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import failure
from testbed.lab import Lab
from testbed.tool import NotUp, ToolError, Via
from testbed.tools import TOOLS, went_through
from testbed.tools.daemons import Daemon
from testbed.tools.places import Spot
from testbed.tools.serving import Client, Server, of_daemon
from testbed.topology import Way, national
from tests.testbed.tools.living import comes_within, left, own_host
from tests.testbed.tools.pretended import Pretended, Started
from tests.testbed.workloads.on_this_machine import Ended

EXIT = "198.51.100.201"

BLOCKED = """
name: no-way-abroad
about: drops one VPN, answers the SYN of another with a reset, which is a refusal
rules:
  - name: wireguard
    match: {server.port: 51820}
    action: {drop: packet}
  - name: ssh
    match: {server.port: 22}
    action: {reset: {toward: both}}
"""


def server(host: Pretended, connected: str = "") -> Server:
    def start(client: object, source: str, undo: ExitStack) -> Client:
        daemon = Daemon(host, ["vpn"])
        undo.callback(daemon.stop)
        return of_daemon(daemon, time.monotonic(), lambda: Via(exit=EXIT), connected)

    relay = Pretended(name="relay", ipv4="198.51.100.200")
    return Server(Spot(tool="pretended", number=1), relay, None, start, ExitStack())


def test_a_direct_answer_never_counts_as_being_through() -> None:
    host = Pretended(Ended(stdout="10.0.0.1\n"))
    with pytest.raises(NotUp, match=r"unknown_failure: came out at 10.0.0.1, not at 198.51.100.201"):
        server(host).connect(host, 0.1)
    assert host.started.status is not None, "the client was left running"


def test_a_client_that_gives_up_is_told_with_its_own_words() -> None:
    host = Pretended(says="connect: Connection refused\n", started=Started(status=1))
    with pytest.raises(NotUp) as told:
        server(host).connect(host, 5)
    assert (told.value.failure, told.value.said) == (failure.REFUSED, "connect: Connection refused")
    assert told.value.seconds < 5


def test_connections_after_the_first_are_reconnects() -> None:
    host = Pretended(Ended(stdout=f"{EXIT}\n"), says="up\nlost\nup\nlost\nup\n")
    tunnel = server(host, connected="up").connect(host, 5)
    assert tunnel.reconnects() == 2


def test_a_host_is_connected_once_at_a_time() -> None:
    host = Pretended(Ended(stdout=f"{EXIT}\n"))
    serving = server(host)
    tunnel = serving.connect(host, 5)
    with pytest.raises(ToolError, match="client is connected by pretended already; close that tunnel first"):
        serving.connect(host, 5)
    tunnel.close()
    host.started = Started()
    serving.connect(host, 5)
    serving.close()
    assert host.started.status is not None


@pytest.fixture
def blocked(abroad: Lab, tmp_path: Path) -> Iterator[Lab]:
    path = tmp_path / "policy.yaml"
    path.write_text(BLOCKED)
    abroad.set_policy(path)
    yield abroad
    abroad.set_policy(None)


@pytest.mark.lab
def test_what_a_censor_does_to_a_connection_attempt_has_its_name(blocked: Lab) -> None:
    relay = blocked.host("relay")
    for name, expected in (("wireguard", failure.TIMEOUT), ("ssh", failure.REFUSED)):
        host = own_host(blocked, name)
        before = left(host)
        serving = TOOLS[name].serve(relay)
        began = time.monotonic()
        with pytest.raises(NotUp) as told:
            serving.connect(host, 2)
        assert told.value.failure == expected
        assert told.value.seconds < 3
        assert time.monotonic() - began < 10
        assert left(host) == before
        serving.close()


@pytest.mark.lab
def test_tools_and_clients_do_not_meet(abroad: Lab) -> None:
    relay, first, second = (abroad.host(name) for name in ("relay", "client", "client2"))
    with ExitStack() as undo:
        wireguard, openvpn = TOOLS["wireguard"].serve(relay), TOOLS["openvpn-udp"].serve(relay)
        undo.callback(wireguard.close)
        undo.callback(openvpn.close)
        tunnels = [(first, wireguard.connect(first, 20)), (second, wireguard.connect(second, 20))]
        tunnels.append((abroad.host("client3"), openvpn.connect(abroad.host("client3"), 20)))
        assert len({tunnel.via.source for _, tunnel in tunnels}) == 3
        assert all(went_through(host, tunnel.via) for host, tunnel in tunnels)
        tunnels[0][1].close()
        assert all(went_through(host, tunnel.via) for host, tunnel in tunnels[1:])


@pytest.mark.lab
def test_when_the_lab_is_gone_everything_is_dead_and_closing_is_no_error() -> None:
    with Lab(topology=national(name="one", subscribers=1, access=("direct",), transit=0, abroad=Way())) as lab:
        serving = TOOLS["ssh"].serve(lab.host("relay"))
        tunnel = serving.connect(lab.client, 20)
    assert comes_within(lambda: not tunnel.alive())
    assert not serving.alive()
    tunnel.close()
    serving.close()
