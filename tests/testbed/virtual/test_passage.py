"""The tools of a leg in virtual time: a connection, none, and what changes packets."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from testbed.changers import CHANGERS
from testbed.pages import page
from testbed.result import Outcome
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.tunnels import TUNNELS
from testbed.topology import Role, shipped
from testbed.virtual.applications import APPLICATIONS
from testbed.virtual.passage import VirtualPassages
from testbed.workload import Observation
from tests.testbed.virtual.asking import ask, do

HOST = "blocked.example"


def _through(workload: str, tool: str, policy: str | None = None, **more: Any) -> Observation:
    asked = ask(workload, policy, **more)

    def attempt() -> Generator[Event, Any, Observation]:
        passages = VirtualPassages(asked.lab, "client", 10.0)
        yield from passages.open(tool)
        if passages.passage.failed:
            return passages.passage.failed
        way = dataclasses.replace(asked, tunnel=passages.passage.tunnel)
        return (yield from APPLICATIONS[workload](way))

    return do(asked, attempt())


@pytest.mark.parametrize("tool", TUNNELS)
def test_transfers_and_pages_come_out_at_the_relay(tool: str) -> None:
    relay = ask("web").lab.topology.having(Role.RELAY)[0].block4
    assert relay is not None
    for workload, size in (("web-object", len(page(HOST)) + 300_000), ("media-send", 200_000), ("web", 41)):
        seen = _through(workload, tool)
        assert (seen.outcome, seen.failure, seen.bytes) == (Outcome.OK, "", size)
        assert seen.exit_address.rpartition(".")[0] == str(relay.network_address).rpartition(".")[0]


@pytest.mark.parametrize("tool", ["wireguard", "ssh"])
def test_the_name_is_seen_by_nobody_on_the_way(tool: str) -> None:
    for policy in ("sni-drop", "dns-inject"):
        assert _through("web", tool, policy).outcome is Outcome.OK


@pytest.mark.parametrize("tool", ["ssh", "shadowsocks"])
def test_what_is_sent_through_a_proxy_counts_when_the_server_has_it(tool: str) -> None:
    seen = _through("media-send", tool)
    assert seen.goodput == pytest.approx(1.9e6, rel=0.1)  # of the line's 2 Mbit/s


@pytest.mark.parametrize("tool", ["wireguard", "ssh", "shadowsocks"])
def test_no_tunnel_carries_ipv6(tool: str) -> None:
    for workload in ("web", "media-fetch"):
        seen = _through(workload, tool, family=6)
        assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, "network_unreachable")


def test_dig_asks_past_a_proxy_and_through_a_vpn() -> None:
    assert _through("dns", "ssh", "dns-inject").outcome is Outcome.BLOCKED
    assert _through("dns", "wireguard", "dns-inject").outcome is Outcome.OK


def test_a_tool_that_does_not_connect_is_what_attempts_have_seen() -> None:
    seen = _through("web", "wireguard", "vpn-handshake-block")
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, "generic_timeout_error")
    assert seen.note.startswith("wireguard: ")


def test_what_changes_packets_needs_no_server() -> None:
    lab = SimulatedLab(None, "adsl")
    passages = VirtualPassages(lab, "client", 10.0)
    lab.run(passages.open("split"))
    assert lab.client.outgoing is CHANGERS["split"]
    assert passages.passage.tunnel is None
    passages.shut()
    assert lab.client.outgoing is None


def test_without_a_foreign_host_there_is_no_result() -> None:
    whole = shipped("adsl")
    nodes = tuple(node for node in whole.nodes if node.role is not Role.RELAY)
    links = tuple(link for link in whole.links if {link.a, link.b} <= {node.name for node in nodes})
    lab = SimulatedLab(None, dataclasses.replace(whole, nodes=nodes, links=links))
    passages = VirtualPassages(lab, "client", 10.0)
    lab.run(passages.open("wireguard"))
    assert passages.passage.failed is not None
    assert passages.passage.failed.outcome is Outcome.NO_RESULT
