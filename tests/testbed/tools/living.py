"""The life of a tool in a lab: up, through, down, killed at either end, and nothing left behind.

What is left is asked of the kernel and not of the tool.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from testbed.lab import Lab
from testbed.tool import Host, Kind, Tunnel, Via
from testbed.tools import TOOLS, exit_address, went_through

_LIMIT_S = 20.0
#: for questions that are expected to fail, and those that are not on a busy machine
_SHORT_S, _LONG_S = 1.0, 5.0

_LEFT = """
ip -o link | cut -d: -f2; ip -o -4 addr; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all
iptables -w -t nat -S; find /run/penstock/tools -path "*/$1*" 2>/dev/null; ls /run/wireguard/wg-$1.sock 2>/dev/null
spaces=$(find -L /proc/[0-9]*/ns/net -maxdepth 0 -samefile /proc/self/ns/net 2>/dev/null)
for space in $spaces; do
  [ ! -e ${space%/ns/net} ] || tr '\\0\\n' '  ' <${space%/ns/net}/cmdline; echo
done 2>/dev/null
"""


def left(host: Host) -> list[str]:
    """Interfaces, addresses, rules, routes, files and processes of a host."""
    lines = host.run(["sh", "-c", _LEFT, "asks", host.name]).stdout.splitlines()
    return sorted(line for line in lines if line.strip() and "spaces=" not in line)


def own_host(lab: Lab, name: str) -> Host:
    """The subscriber that is this tool's, so that tools do not meet."""
    number = list(TOOLS).index(name) + 1
    return lab.host("client" if number == 1 else f"client{number}")


def comes_within(what: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def lives(lab: Lab, name: str) -> None:
    """Serve, connect, kill the client, connect from another address, kill the server, and look what is left."""
    tool, relay, client = TOOLS[name], lab.host("relay"), own_host(lab, name)
    relay.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])  # that stays, and brings a rule of the kernel's
    before, before_relay = left(client), left(relay)
    serving = tool.serve(relay)
    try:
        tunnel = serving.connect(client, _LIMIT_S)
        carries_everything(client, tunnel, tool.kind, lab.sites[-1].ipv6 if lab.facts()["ipv6"] else "")
        assert tunnel.via.exit == serving.address
        assert 0 < tunnel.ready_s < _LIMIT_S
        assert tunnel.reconnects() == 0
        if tunnel.pids:
            client.run(["kill", "-9", *map(str, tunnel.pids)])
        else:  # the kernel's
            client.run(["ip", "link", "del", tunnel.via.interface])
        assert comes_within(lambda: not tunnel.alive())
        assert not went_through(client, tunnel.via, limit_s=_SHORT_S)
        if tool.kind is Kind.TUNNEL:
            assert exit_address(client, Via(), limit_s=_SHORT_S) == "", "it went past the tunnel"
        tunnel.close()
        assert left(client) == before

        source = client.ipv4.rpartition(".")[0] + ".77"
        tunnel = serving.connect(client, _LIMIT_S, source)
        assert went_through(client, tunnel.via, limit_s=_LONG_S)
        if serving.pids:
            relay.run(["kill", "-9", *map(str, serving.pids)])
        else:
            relay.run(["ip", "link", "del", f"wg-{relay.name}"])
        assert comes_within(lambda: not serving.alive())
        assert not went_through(client, tunnel.via, limit_s=_SHORT_S)
    finally:
        serving.close()
    assert left(client) == before
    assert left(relay) == before_relay


def carries_everything(client: Host, tunnel: Tunnel, kind: Kind, ipv6: str) -> None:
    """Through it a request comes out at the relay, past it at the subscriber; `ipv6`: a site's, "" if there is none."""
    assert tunnel.alive()
    assert exit_address(client, tunnel.via, limit_s=_LONG_S) == tunnel.via.exit
    own = client.ipv4.rpartition(".")[0] + ".78"
    direct = Via(source=own, exit=tunnel.via.exit)
    assert exit_address(client, direct, limit_s=_LONG_S) == own
    assert not went_through(client, direct, limit_s=_LONG_S)
    unbound = exit_address(client, Via(), limit_s=_LONG_S)
    assert unbound == (tunnel.via.exit if kind is Kind.TUNNEL else client.ipv4)
    if ipv6:
        asked = client.run(["curl", "-sS", "--max-time", "5", f"http://[{ipv6}]/where"])
        assert (asked.status != 0) == (kind is Kind.TUNNEL), "a tunnel takes IPv6 too, and leads it nowhere"
        own6 = f"2001:db8:1:{int(client.name.removeprefix('client') or 1):x}::77"
        past = client.run(["curl", "-sS", "--max-time", "5", "--interface", "host!" + own6, f"http://[{ipv6}]/where"])
        assert past.stdout == own6 + "\n"
