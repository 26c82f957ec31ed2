"""The network of Pakistan's operators: who stands where, how fast and how far."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from testbed.pakistan import OPERATORS, pakistan
from testbed.topology import Role, shipped


def test_each_operator_has_a_line_without_a_vpn_and_one_with_it() -> None:
    names = [node.name for node in pakistan().having(Role.SUBSCRIBER)]
    assert names == [one for name in OPERATORS for one in (name, f"{name}vpn")]
    assert shipped("pakistan") == pakistan()


@pytest.mark.parametrize("name", OPERATORS)
def test_everything_abroad_is_behind_the_box_both_ways(name: str) -> None:
    topology = pakistan()
    for server in ("web", "dns", "relay"):
        assert "box" in topology.path(name, server)
        assert "box" in topology.path(server, name)
    assert "box" not in topology.path("jazz", "ptcl")


def test_round_trips_are_those_of_the_published_priors() -> None:
    topology = pakistan()
    trips = {name: topology.delay(name, "web") + topology.delay("web", name) for name in OPERATORS}
    assert trips["jazz"] == pytest.approx(0.060)
    assert trips["zong"] == pytest.approx(0.064)
    assert 0.015 <= trips["ptcl"] <= 0.060
    assert 0.015 <= trips["nayatel"] <= 0.060


def test_the_mobile_lines_are_those_of_the_policys_list() -> None:
    mobile = ip_network("10.0.0.0/20")
    for node in pakistan().having(Role.SUBSCRIBER):
        assert node.block4 is not None
        inside = node.block4.subnet_of(mobile)  # type: ignore[arg-type]
        assert inside == (node.access == "mobile")
        assert (ip_address(node.ipv4) in mobile) == inside
