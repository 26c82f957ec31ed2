"""What a machine lacks for a tool."""

from __future__ import annotations

import dataclasses

import pytest

from testbed.doctor import Features, Found
from testbed.tool import ToolError
from testbed.tools import TOOLS, installed
from testbed.tools.openvpn import OpenVpn
from testbed.tools.wireguard import WireGuard

ALL = Features(**{field.name: Found(True) for field in dataclasses.fields(Features)})


class NotInstalled(OpenVpn):
    """A tool that no machine has."""

    programs = {"no-such-vpn": "no-such-package", "sh": "dash", "/etc/passwd": "base-passwd"}  # noqa: RUF012


NONE = NotInstalled("none", "nothing", 9, "udp", 9)


def test_what_is_missing_is_named_with_its_package_and_the_command_that_installs_it() -> None:
    assert installed.missing(NONE) == {"no-such-vpn": "no-such-package"}
    with pytest.raises(ToolError, match=r"none needs no-such-vpn, not installed here; run ./setup --tools"):
        installed.need(NONE)


def test_a_tunnel_needs_more_of_the_kernel_than_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = dataclasses.replace(ALL, tun=Found(False), nat=Found(False))
    assert installed.lacking(TOOLS["openvpn-udp"], nothing) == ["nat", "tun"]
    assert installed.lacking(TOOLS["ssh"], nothing) == []
    assert installed.lacking(TOOLS["openvpn-udp"], ALL) == []
    monkeypatch.setattr(WireGuard, "means", lambda _self: installed.KERNEL)
    assert installed.lacking(TOOLS["wireguard"], nothing) == ["nat"]
