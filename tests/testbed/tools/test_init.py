"""The list of tools, and what the scripts say of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testbed.tool import Kind
from testbed.tools import TOOLS, register
from testbed.tools.wireguard import WireGuard

ROOT = Path(__file__).resolve().parents[3]


def test_each_tool_is_known_by_its_own_name() -> None:
    assert set(TOOLS) == {
        "wireguard",
        "openvpn-udp",
        "openvpn-tcp",
        "openvpn-tls-crypt",
        "ikev2",
        "openconnect",
        "ssh",
        "shadowsocks",
    }
    assert all(name == tool.name for name, tool in TOOLS.items())
    assert {name for name, tool in TOOLS.items() if tool.kind is Kind.PROXY} == {"ssh", "shadowsocks"}


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(ValueError, match="two tools are called 'wireguard'"):
        register(WireGuard())


def test_setup_installs_the_packages_of_every_tool() -> None:
    listed = re.search(r'^TOOL_PROGRAMS="(.*?)"$', (ROOT / "setup").read_text(), re.MULTILINE | re.DOTALL)
    assert listed is not None
    pairs = dict(pair.rsplit(":", 1) for pair in listed[1].split())
    for tool in TOOLS.values():
        assert tool.programs.items() <= pairs.items(), tool.name
