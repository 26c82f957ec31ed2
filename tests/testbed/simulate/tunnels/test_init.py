"""All tools in virtual time: they are those of the lab, carry what is asked for, and boxes know them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.vpn_disruption import FACTS
from testbed import failure
from testbed.simulate.tunnels import TUNNELS
from testbed.tool import Kind
from testbed.tools import TOOLS
from tests.testbed.simulate.tunnels.made import lab_with, serve, told, used_once

#: what a box matches to know a tool; none of them says a port
KNOWN = {
    "wireguard": "{wireguard.message: initiation}",
    "openvpn-udp": "{openvpn.message: hard-reset-client-v2}",
    "openvpn-tcp": "{openvpn.message: hard-reset-client-v2}",
    "openvpn-tls-crypt": "{all: [{openvpn.message: hard-reset-client-v2}, {openvpn.wrapped: true}]}",
    "ikev2": "{ikev2.message: ike-sa-init}",
    "openconnect": "{dtls.hello: true}",
    "ssh": "{ssh.banner: {present: true}}",
    "shadowsocks": "{encrypted.random: true}",
}


def test_they_are_the_labs_tools_by_name_kind_and_address() -> None:
    assert set(TUNNELS) == set(TOOLS) == set(FACTS)
    lab = lab_with()
    for name, tool in TUNNELS.items():
        assert tool.kind is TOOLS[name].kind
        assert tool.means() == "by shape"
    numbers = {name: int(serve(lab, name).serving.address.rpartition(".")[2]) - 200 for name in TUNNELS}
    assert numbers == dict(zip(TUNNELS, (1, 2, 3, 4, 5, 6, 0, 7), strict=True))


@pytest.mark.parametrize("tool", TUNNELS)
def test_what_goes_through_comes_out_at_the_relay(tool: str) -> None:
    _, used = used_once(tool, size=300_000)
    assert used.tunnel is not None
    assert used.got is not None
    assert (used.got.failure, used.got.status, len(used.got.body)) == ("", 206, 300_000)
    assert used.got.fields["x-from"] == used.serving.address == used.tunnel.via.exit
    assert used.tunnel.alive()
    assert used.tunnel.reconnects() == 0
    assert 0.03 < used.tunnel.ready_s < 1.0
    assert (used.tunnel.via.proxy != "") is (TUNNELS[tool].kind is Kind.PROXY)


@pytest.mark.parametrize("tool", TUNNELS)
def test_a_box_knows_it_by_its_first_messages(tool: str, tmp_path: Path) -> None:
    lab, used = used_once(tool, f"  - {{name: known, match: {KNOWN[tool]}, action: {{drop: flow}}}}\n", tmp_path)
    assert used.tunnel is None
    assert used.error is not None
    assert used.error.failure == failure.TIMEOUT
    assert used.error.seconds == pytest.approx(6.0)
    assert {one["rule"] for one in told(lab)} == {"known"}


@pytest.mark.parametrize("tool", [tool for tool in TUNNELS if tool != "shadowsocks"])
def test_it_does_not_look_random_by_the_rule_for_what_is_fully_encrypted(tool: str, tmp_path: Path) -> None:
    rule = "  - {name: random, match: {encrypted.random: true}, action: {drop: flow}}\n"
    _, used = used_once(tool, rule, tmp_path)
    assert used.got is not None
    assert used.got.status == 206
