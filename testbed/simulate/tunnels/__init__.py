"""VPNs and proxies in virtual time, by shape: what an observer sees of them is real, their keys are not.

Each has the name, the server's address and the times of the lab's tool (`testbed.tools`). First packets, lengths and
their order are those of the real programs, recorded in a lab; what is inside is encrypted under keys that both ends
draw from the seed. Traffic inside is that of simulated hosts.
"""

from __future__ import annotations

from collections.abc import Mapping

from testbed.simulate.tunnels import shadowsocks, ssh
from testbed.simulate.tunnels.asked import SimulatedServing, SimulatedTool, SimulatedTunnel
from testbed.simulate.tunnels.ikev2 import Ikev2Shape
from testbed.simulate.tunnels.openconnect import OpenConnectShape
from testbed.simulate.tunnels.openvpn import OpenVpnShape
from testbed.simulate.tunnels.tools import TunnelTool
from testbed.simulate.tunnels.wireguard import WireGuardShape

_ALL: tuple[SimulatedTool, ...] = (
    TunnelTool(name="wireguard", shape=WireGuardShape(), number=1),
    TunnelTool(name="openvpn-udp", shape=OpenVpnShape(1194), number=2),
    TunnelTool(name="openvpn-tcp", shape=OpenVpnShape(443, framed=True), number=3, over_tcp=True),
    TunnelTool(name="openvpn-tls-crypt", shape=OpenVpnShape(1194, wrapped=True), number=4),
    TunnelTool(name="ikev2", shape=Ikev2Shape(), number=5),
    TunnelTool(name="openconnect", shape=OpenConnectShape(), number=6, tls_first=True),
    ssh.TOOL,
    shadowsocks.TOOL,
)
#: by the names of `testbed.tools.TOOLS`
TUNNELS: Mapping[str, SimulatedTool] = {tool.name: tool for tool in _ALL}

__all__ = ["TUNNELS", "SimulatedServing", "SimulatedTool", "SimulatedTunnel"]
