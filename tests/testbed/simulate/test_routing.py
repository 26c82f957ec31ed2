"""Legs and addresses of the shipped topologies."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from testbed.simulate.routing import Leg, Routes
from testbed.topology import SHIPPED, shipped


def packed(text: str) -> bytes:
    return ip_address(text).packed


def test_an_address_belongs_to_a_block_or_to_a_router() -> None:
    routes = Routes(shipped("national"))
    assert routes.owner(packed("10.0.3.7")) == "client"
    assert routes.owner(packed("2001:db8:203::10")) == "web"
    assert routes.owner(packed("192.0.2.5")) == "gateway"
    assert routes.owner(packed("8.8.8.8")) is None


def test_a_leg_ends_where_something_happens_to_a_packet() -> None:
    topology = shipped("national")
    routes = Routes(topology)
    assert routes.leg("box", "web") == Leg(routers=("gateway",), way=(4, "gateway"), stop="transit1")
    assert routes.leg("transit1", "web") == Leg(routers=("transit2", "transit3"), way=None, stop="web")
    back = Leg(routers=("transit3", "transit2", "transit1"), way=(4, "transit1"), stop="gateway")
    assert routes.leg("web", "client") == back


@pytest.mark.parametrize("name", SHIPPED)
def test_legs_put_together_are_the_topologys_path(name: str) -> None:
    topology = shipped(name)
    routes = Routes(topology)
    hosts = [node.name for node in topology.nodes if not node.role.forwards][:6]
    for a in hosts:
        for b in hosts:
            if a == b:
                continue
            here, visited = a, [a]
            while here != b:
                leg = routes.leg(here, b)
                assert leg is not None
                visited += [*leg.routers, leg.stop]
                here = leg.stop
            assert tuple(visited) == topology.path(a, b)


def test_a_router_speaks_from_the_interface_that_leads_back() -> None:
    routes = Routes(shipped("asymmetric"))
    back = routes.own_address("gateway", packed("10.0.0.1"))
    assert back is not None
    assert routes.owner(back) == "gateway"
    assert back != Routes(shipped("national")).own_address("gateway", packed("10.0.0.1"))


def test_a_host_has_one_neighbour() -> None:
    assert Routes(shipped("national")).neighbour("client") == "isp"
    assert Routes(shipped("national")).neighbour("web") == "transit3"
