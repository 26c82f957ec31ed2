"""Link ends, routes and where packets are held, as texts; that the kernel obeys is tested in `test_network`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.emulate.addressing import addressing, delays_of
from testbed.plugs import plugs_of
from testbed.topology import Link, Topology, Way, national, shipped


def test_a_subscriber_owns_its_block_and_a_server_does_not_answer_for_the_rest_of_its() -> None:
    topology = shipped("small")
    plugs = plugs_of(topology)
    client = addressing(topology, plugs, topology.node("client"), ipv6=True, congestion="")
    web = addressing(topology, plugs, topology.node("web"), ipv6=True, congestion="cubic")
    assert "route replace local 10.0.0.0/22 dev lo" in client
    assert "route replace unreachable 203.0.113.0/24" in web
    assert "src 203.0.113.1 congctl cubic" in web
    assert "congctl" not in client


def test_without_ipv6_nothing_of_it_is_told() -> None:
    topology = shipped("small")
    text = addressing(topology, plugs_of(topology), topology.node("isp"), ipv6=False, congestion="")
    assert "2001:" not in text


def test_packets_are_never_held_in_a_host() -> None:
    topology = national(subscribers=1)
    delays = delays_of(topology, plugs_of(topology))
    assert {(delay.node, delay.side) for delay in delays} == {
        ("isp", "-i"), ("isp", "-o"), ("gateway", "-o"), ("transit1", "-o")
    }  # fmt: skip
    assert {delay.name.split("/")[0] for delay in delays} == {"client", "isp", "gateway", "transit1"}
    assert len({delay.queue for delay in delays}) == len(delays)


def test_a_delayed_link_between_two_hosts_is_refused() -> None:
    nodes = tuple(node for node in national().nodes if node.name in ("client", "web"))
    way = Way(delay=0.01)
    topology = Topology(name="two", nodes=nodes, links=(Link(a="client", b="web", to_a=way, to_b=way),))
    with pytest.raises(ValueError, match="needs netem, or a router between"):
        delays_of(topology, plugs_of(topology))
    free = replace(topology, links=(Link(a="client", b="web"),))
    assert delays_of(free, plugs_of(free)) == []
