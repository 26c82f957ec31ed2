"""What hosts are told: files, addresses, rules. That it does what it should is seen in the tests of each tool."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from testbed.tool import ToolError
from testbed.tools import TOOLS, places
from testbed.tools.places import Spot
from testbed.topology import RELAY, subscriber
from tests.testbed.tools.pretended import Pretended
from tests.testbed.workloads.on_this_machine import Ended

SPOT = Spot(tool="wireguard", number=1)


def test_a_step_that_fails_says_where_and_what() -> None:
    with pytest.raises(ToolError, match="host client: RTNETLINK answers: File exists"):
        places.run(Pretended(Ended(status=2, stderr="RTNETLINK answers: File exists\n")), "ip rule add")


def test_server_addresses_are_of_the_relays_block_and_inner_ones_of_nobody() -> None:
    relay = Pretended(name="relay", ipv4=RELAY.ipv4)
    assert RELAY.block4 is not None
    for number in range(len(TOOLS)):
        spot = Spot(tool="x", number=number)
        assert IPv4Address(spot.address(relay)) in RELAY.block4
        for other in range(1, 61):
            block = subscriber(other, "fixed").block4
            assert block is not None
            assert not spot.inner.overlaps(block)


def test_files_come_into_a_private_folder_and_scripts_can_be_run() -> None:
    host = Pretended()
    places.write(host, SPOT.folder(host), {"wg.conf": "[Interface]\n", "up.sh": b"#!/bin/sh\n"})
    assert host.files() == {"wg.conf": "[Interface]\n", "up.sh": "#!/bin/sh\n"}
    assert "umask 077" in host.scripts()
    assert "mkdir /run/penstock/tools/wireguard/client;" in host.scripts()


def test_only_the_unbound_and_the_inner_addresses_are_diverted() -> None:
    host = Pretended()
    places.approach(host, SPOT, "198.51.100.201", "")
    places.divert(host, SPOT)
    rules = [line for line in host.scripts().splitlines() if line.startswith("ip rule add")]
    assert [line.partition(" pref ")[2].partition(" ")[2] for line in rules] == [
        "to 198.51.100.201/32 lookup main",
        "from 10.8.0.0/24 lookup 5101",
        "from 0.0.0.0/32 lookup 5101",
    ]
    assert "unreachable default metric 4000 table 5101" in host.scripts()


def test_the_way_in_is_the_last_that_was_told() -> None:
    assert places.way_in("connecting\n") is None
    log = "x leads into tun0 10.8.0.2\nlost\nupdown: leads into oc-client 10.8.0.7\n"
    assert places.way_in(log) == ("oc-client", "10.8.0.7")
