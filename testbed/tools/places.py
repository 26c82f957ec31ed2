"""What a tool's programs find on a host: private files, addresses and routes; all of it goes when they do.

One shell script a step, so that a step costs one process start. Starts no daemon.
"""

from __future__ import annotations

import io
import re
import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from typing import Protocol

from testbed.tool import Host, ToolError

#: within the lab's own temporary file system (see testbed.emulate.view)
HOME = "/run/penstock/tools"
_PATIENCE_S = 60.0  #: for one step, on an emulated processor
#: routing tables and the order of rules: free of what the kernel, strongSwan (220) and people use
_TABLE, _APPROACHES, _ORDER = 5100, 5200, 5100
_WAY = re.compile(r"leads into ([\w-]+) ([0-9.]+)")


def run(host: Host, script: str, input: bytes = b"") -> str:
    """Run a shell script on a host and return what it printed; raises ToolError with what went wrong."""
    done = host.run(["sh", "-euc", script], timeout=_PATIENCE_S, input=input)
    if done.status:
        said = " ".join((done.stderr or done.stdout).split())[-300:] or f"exit status {done.status}"
        raise ToolError(f"host {host.name}: {said}")
    return done.stdout


class Addressed(Protocol):
    """A host, in a lab or in virtual time."""

    @property
    def ipv4(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where one tool lives: its address abroad, its addresses inside, its routing table."""

    tool: str
    number: int  #: 0: the relay's own address; else one of the further addresses of its block

    def address(self, relay: Addressed) -> str:
        """Where the server listens, and where its clients' traffic comes out."""
        return str(ip_address(relay.ipv4) + self.number)

    @property
    def inner(self) -> IPv4Network:
        """The addresses inside the tunnel; no lab host has any of them."""
        return IPv4Network(f"10.{7 + self.number}.0.0/24")

    @property
    def gate(self) -> str:
        """The server's address inside."""
        return str(self.inner[1])

    @property
    def table(self) -> int:
        return _TABLE + self.number

    def folder(self, host: Host) -> str:
        return f"{HOME}/{self.tool}/{host.name}"


def write(host: Host, folder: str, files: Mapping[str, bytes | str]) -> None:
    """Make a private folder with these files; names that end in `.sh` can be run. Raises ToolError if it exists."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o700 if name.endswith(".sh") else 0o600
            tar.addfile(entry, io.BytesIO(data))
    place = shlex.quote(folder)
    above = shlex.quote(folder.rpartition("/")[0])
    script = f"umask 077; mkdir -p {above}; mkdir {place}; exec tar -x --no-same-owner -C {place}"
    run(host, script, packed.getvalue())


def remove(host: Host, folder: str) -> None:
    above = shlex.quote(folder.rpartition("/")[0])
    run(host, f"rm -rf {shlex.quote(folder)}; rmdir {above} 2>/dev/null || :")


def open_exit(relay: Host, spot: Spot, *, inner: bool) -> None:
    """Give the server its address; `inner`: let the tunnel's addresses out by it, and by nothing but it."""
    own = spot.address(relay)
    lines = [":"] if own == relay.ipv4 else [f"ip addr replace {own}/32 dev lo"]
    if inner:
        lines += ["echo 1 >/proc/sys/net/ipv4/ip_forward"]
        lines += [f"iptables -w -t nat -A POSTROUTING -s {spot.inner} -j SNAT --to-source {own}"]
    run(relay, "\n".join(lines))


def close_exit(relay: Host, spot: Spot, *, inner: bool) -> None:
    """Undo `open_exit`; that the relay forwards is left, for other tunnels may need it."""
    own = spot.address(relay)
    lines = [f"iptables -w -t nat -D POSTROUTING -s {spot.inner} -j SNAT --to-source {own} || :" if inner else ":"]
    if own != relay.ipv4:
        lines += [f"ip addr del {own}/32 dev lo || :"]
    run(relay, "\n".join(lines))


def approach(client: Host, spot: Spot, server: str, source: str) -> None:
    """Reach the server by the direct way, whatever else is diverted; `source`: from this address, if it is not ""."""
    order, table = _ORDER + 10 * spot.number, _APPROACHES + spot.number
    if not source:
        run(client, f"ip rule add pref {order} to {server}/32 lookup main")
        return
    lines = [
        f"way=$(ip -4 route show default table main | sed 's/ src [0-9.]*//; s/$/ src {source}/')",
        f"ip route replace $way table {table}",
        f"ip rule add pref {order} to {server}/32 lookup {table}",
    ]
    run(client, "\n".join(lines))


def divert(client: Host, spot: Spot) -> None:
    """Send whoever binds to no address, or to one inside the tunnel, to the tunnel's table, which leads nowhere yet.

    Those who bind to another of the subscriber's addresses (of IPv6: to another than its first) go the direct way:
    measuring beside the tunnel remains possible, and nothing gets past it by mistake.
    """
    table, order = spot.table, _ORDER + 10 * spot.number
    lines = [
        f"ip rule add pref {order + 1} from {spot.inner} lookup {table}",
        f"ip rule add pref {order + 2} from 0.0.0.0/32 lookup {table}",
        f"ip route replace unreachable default metric 4000 table {table}",
        "if [ -e /proc/sys/net/ipv6 ]; then",
        # the tunnels carry IPv4 only. Who binds to nothing is asked for twice: without a sender, which no rule with a
        # sender matches, and then with the host's own address
        "ip -o -6 addr show scope global | while read -r _ _ _ own _; do",
        f"ip -6 rule add pref {order + 1} from ${{own%/*}} lookup {table}; done",
        f"ip -6 rule add pref {order + 2} from ::/1 lookup main",
        f"ip -6 rule add pref {order + 3} from 8000::/1 lookup main",
        f"ip -6 rule add pref {order + 4} lookup {table}",
        f"ip -6 route replace unreachable default metric 4000 table {table}",
        "fi",
    ]
    run(client, "\n".join(lines))


def revert(client: Host, spot: Spot) -> None:
    """Undo `approach`, `divert` and `lead`."""
    table, order = spot.table, _ORDER + 10 * spot.number
    lines = [f"ip rule del pref {order + step} || :" for step in range(3)]
    lines += [f"ip -6 rule del pref {order + step} || :" for step in range(1, 5)]
    lines += [f"ip -6 route flush table {table} || :"]
    lines += [f"ip route flush table {each} || :" for each in (table, _APPROACHES + spot.number)]
    # the inner address that `lead` keeps
    lines += [
        f"ip -o -4 addr show dev lo to {spot.inner} | while read -r _ _ _ own _; do ip addr del $own dev lo; done"
    ]
    run(client, "\n".join(lines))


def lead(spot: Spot, interface: str, address: str) -> str:
    """A script that leads the tunnel's table into an interface that is up; words may be variables of the shell.

    Daemons run it whenever they have made their interface. The address is kept on the loopback as well, so that who
    binds to it after the tunnel's end is told that the network is unreachable. Connections inside start under the
    congestion control of those outside. What it prints is what `way_in` finds.
    """
    return (
        f"ip addr replace {address}/32 dev lo\n"
        "congctl=$(ip -4 route show default table main | grep -o 'congctl [a-z0-9_]*' || :)\n"
        f"ip route replace default dev {interface} src {address} $congctl table {spot.table}\n"
        f"echo 'leads into' {interface} {address}\n"
    )


def way_in(log: str) -> tuple[str, str] | None:
    """The interface and the inner address that a daemon's log names last; None while there are none."""
    found = _WAY.findall(log)
    return found[-1] if found else None
