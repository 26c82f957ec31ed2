"""The VPNs and proxies, listed here one by one: a new one is a file and a line.

Nothing is looked for in folders, and a name cannot be taken twice.
"""

from __future__ import annotations

from testbed.tool import Tool
from testbed.tools import ikev2, openconnect, openvpn, shadowsocks, ssh, wireguard
from testbed.tools.exits import exit_address, went_through

TOOLS: dict[str, Tool] = {}


def register(tool: Tool) -> None:
    """Make a tool known by its name; a name that is taken raises `ValueError`."""
    if tool.name in TOOLS:
        raise ValueError(f"two tools are called '{tool.name}'")
    TOOLS[tool.name] = tool


register(wireguard.WireGuard())
register(openvpn.OpenVpn("openvpn-udp", "OpenVPN over UDP 1194", 2, "udp", 1194))
register(openvpn.OpenVpn("openvpn-tcp", "OpenVPN over TCP 443", 3, "tcp", 443))
register(openvpn.OpenVpn("openvpn-tls-crypt", "OpenVPN over UDP 1194 with tls-crypt", 4, "udp", 1194, tls_crypt=True))
register(ikev2.Ikev2())
register(openconnect.OpenConnect())
register(ssh.Ssh())
register(shadowsocks.Shadowsocks())

__all__ = ["TOOLS", "exit_address", "register", "went_through"]
