"""A tunnel's life: lost messages are said again, a dead peer is noticed, and it begins anew as its program does."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from simpy.events import Event

from testbed import failure
from tests.testbed.simulate.tunnels.made import Used, connect, fetch, lab_with, serve

ALL = "  - {name: all, when: {phase: [bad]}, match: {client.ip: {in: 10.0.0.0/8}}, action: {drop: {}}}\n"
TUNNEL_NAMES = ("wireguard", "openvpn-udp", "openvpn-tcp", "openvpn-tls-crypt", "ikev2", "openconnect")


@pytest.mark.parametrize("tool", TUNNEL_NAMES)
def test_a_handshake_that_is_lost_is_said_again(tool: str, tmp_path: Path) -> None:
    lab = lab_with(ALL, tmp_path)
    used = serve(lab, tool)
    lab.enter_phase("bad")

    def person() -> Generator[Event, Any, None]:
        lab.clock.process(connect(lab, used, limit_s=20.0))
        yield lab.clock.wait(1.5)
        lab.enter_phase("good")
        yield lab.clock.wait(18.0)

    lab.run(person(), limit_s=60)
    assert used.tunnel is not None
    assert 1.5 < used.tunnel.ready_s < 8.0


@pytest.mark.parametrize(
    ("tool", "after_s", "counted"),
    [("wireguard", 8.0, 0), ("openvpn-udp", 22.0, 1), ("openvpn-tcp", 25.0, 1), ("ikev2", 33.0, 1)],
)
def test_a_tunnel_that_was_silenced_carries_again_afterwards(
    tool: str, after_s: float, counted: int, tmp_path: Path
) -> None:
    lab = lab_with(ALL, tmp_path)
    used = serve(lab, tool)
    seen: list[str] = []

    def person() -> Generator[Event, Any, None]:
        yield from connect(lab, used)
        lab.enter_phase("bad")
        yield from fetch(lab, used, limit_s=3.0)
        assert used.got is not None
        seen.append(used.got.failure)
        yield lab.clock.wait(after_s - 3.0)
        lab.enter_phase("good")
        yield lab.clock.wait(12.0)
        yield from fetch(lab, used)
        seen.append(used.got.failure)

    lab.run(person(), limit_s=120)
    assert seen == [failure.TIMEOUT, ""]
    assert used.tunnel is not None
    assert used.tunnel.reconnects() == counted


def test_who_is_connected_is_not_connected_twice_and_may_connect_anew() -> None:
    lab = lab_with()
    used = serve(lab, "wireguard")
    said: list[str] = []

    def person() -> Generator[Event, Any, None]:
        yield from connect(lab, used)
        try:
            yield from used.serving.connect(lab.client, 3.0)
        except Exception as error:
            said.append(str(error))
        assert used.tunnel is not None
        used.tunnel.close()
        yield from connect(lab, used)
        yield from fetch(lab, used)

    lab.run(person(), limit_s=60)
    assert said == ["client is connected by wireguard already; close that tunnel first"]
    assert used.got is not None
    assert used.got.failure == ""


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    def decided() -> list[bytes]:
        lab = lab_with("  - {name: see, match: {client.ip: {in: 10.0.0.0/8}}, action: log}\n", tmp_path)
        people: list[Used] = [serve(lab, tool) for tool in TUNNEL_NAMES]

        def person(used: Used, host: str) -> Generator[Event, Any, None]:
            yield from connect(lab, used, host=host)
            yield from fetch(lab, used, host=host)

        hosts = ("client", *(f"client{number}" for number in range(2, 9)))
        lab.run(*[person(used, host) for used, host in zip(people, hosts, strict=False)], limit_s=60)
        return lab.log()

    first = decided()
    assert first == decided()
    assert len(first) > 100
