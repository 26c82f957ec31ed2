"""Link ends of the shipped topologies."""

from __future__ import annotations

import pytest

from testbed.plugs import plugs_of
from testbed.topology import SHIPPED, national, shipped


@pytest.mark.parametrize("name", SHIPPED)
def test_no_two_ends_share_an_interface_a_mac_or_a_routers_address(name: str) -> None:
    topology = shipped(name)
    plugs = list(plugs_of(topology).values())
    for what in ("interface", "mac", "ipv4", "ipv6"):
        assert len({getattr(plug, what) for plug in plugs}) == len(plugs)
    assert all(len(plug.interface) <= 15 for plug in plugs)


def test_links_abroad_have_addresses_abroad() -> None:
    topology = national()
    plugs = plugs_of(topology)
    ends = {(topology.links[number].other(owner), owner): plug.ipv4 for (number, owner), plug in plugs.items()}
    assert ends["isp", "box"].startswith("10.255.")
    assert ends["gateway", "transit1"].startswith("192.0.2.")
