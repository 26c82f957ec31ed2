"""OpenVPN in its three ways."""

from __future__ import annotations

import pytest

from testbed.lab import Lab
from testbed.tool import ToolError
from testbed.tools import TOOLS
from tests.testbed.tools.living import lives
from tests.testbed.tools.pretended import Pretended, Started

WAYS = ["openvpn-udp", "openvpn-tcp", "openvpn-tls-crypt"]


@pytest.mark.parametrize(
    ("name", "proto", "hidden"), [(WAYS[0], "udp4", False), (WAYS[1], "tcp4-server", False), (WAYS[2], "udp4", True)]
)
def test_the_ways_differ_in_what_carries_them_and_whether_the_handshake_is_hidden(
    name: str, proto: str, hidden: bool
) -> None:
    relay = Pretended(name="relay", ipv4="198.51.100.200", says="Initialization Sequence Completed")
    serving = TOOLS[name].serve(relay)
    conf = relay.files()["openvpn.conf"].splitlines()
    assert f"proto {proto}" in conf
    assert f"local {serving.address}" in conf
    assert ("tls-crypt tls-crypt.key" in conf) is hidden
    serving.close()


def test_a_server_that_does_not_start_is_an_error_that_quotes_it_and_leaves_nothing() -> None:
    relay = Pretended(name="relay", ipv4="198.51.100.200", says="Options error: bad", started=Started(status=1))
    with pytest.raises(ToolError, match="openvpn ended before it was ready: Options error: bad"):
        TOOLS["openvpn-udp"].serve(relay)
    assert "rm -rf /run/penstock/tools/openvpn-udp/relay" in relay.scripts()


@pytest.mark.lab
@pytest.mark.parametrize("name", WAYS)
def test_it_carries_traffic_until_either_end_is_killed_and_leaves_nothing(abroad: Lab, name: str) -> None:
    lives(abroad, name)
