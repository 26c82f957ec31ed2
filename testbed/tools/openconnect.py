"""AnyConnect's protocol, by ocserv and openconnect: TLS, then DTLS beside it for as long as UDP gets through.

Where UDP is blocked the traffic stays in TLS. Dead peers are noticed after 10 s (ocserv: 90 s), so that a run of
minutes sees what a user sees in an evening.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import ClassVar

from testbed import failure
from testbed.emulate.trust import Authority
from testbed.tool import Host, Kind
from testbed.tools import keys, places
from testbed.tools.daemons import Daemon
from testbed.tools.installed import need
from testbed.tools.places import Spot
from testbed.tools.serving import Client, Server, of_daemon, tunnel_way

_PORT = 443
_SITE = "vpn.example"  #: in the certificate and in the client's SNI

_SERVER = """\
auth = "plain[passwd={folder}/passwd]"
listen-host = {address}
tcp-port = {port}
udp-port = {port}
socket-file = {folder}/ocserv
server-cert = {folder}/own.pem
server-key = {folder}/own.key
ca-cert = {folder}/ca.pem
isolate-workers = false
max-clients = 0
max-same-clients = 0
rate-limit-ms = 0
max-ban-score = 0
device = oc-
predictable-ips = true
ipv4-network = {network}
ipv4-netmask = {mask}
default-domain = example
keepalive = 30
dpd = 5
mobile-dpd = 5
try-mtu-discovery = false
cisco-client-compat = true
dtls-legacy = true
run-as-group = stay
tls-priorities = "NORMAL:%SERVER_PRECEDENCE:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3"
"""
#: by itself ocserv calls setgroups, which a user namespace of one user forbids, unless the group that it is to change
#: to is number -1, which stands for none
_START = """\
{ cat /etc/group; echo "stay:x:4294967295:"; } >"$1/group"
mount --bind "$1/group" /etc/group
exec ocserv --foreground --debug=1 --config "$1/ocserv.conf"
"""
_HOOK = """\
#!/bin/sh
set -eu
[ "$reason" = connect ] || exit 0
ip addr add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
ip link set "$TUNDEV" mtu "${INTERNAL_IP4_MTU:-1400}" up
"""
_UP = "CSTP connected"
_WORDS = {"Failed to connect to host": failure.TIMEOUT, "Failed to complete authentication": failure.EOF}


class OpenConnect:
    """`ocserv` and `openconnect`."""

    name = "openconnect"
    about = f"AnyConnect over TLS (TCP {_PORT}) and DTLS (UDP {_PORT})"
    kind = Kind.TUNNEL
    programs: ClassVar[Mapping[str, str]] = {"ocserv": "ocserv", "openconnect": "openconnect"}
    asks_version = ("openconnect", "--version")
    server_ports = (("tcp", _PORT), ("udp", _PORT))

    def means(self) -> str:
        return "openconnect"

    def serve(self, relay: Host, limit_s: float = 30.0) -> Server:
        need(self)
        spot = Spot(tool=self.name, number=6)
        address, folder, password = spot.address(relay), spot.folder(relay), keys.password()
        authority = Authority.make()
        own = keys.identity(authority, _SITE)
        with ExitStack() as undo:
            conf = _SERVER.format(
                folder=folder,
                address=address,
                port=_PORT,
                network=spot.inner.network_address,
                mask=spot.inner.netmask,
            )
            secret = {"own.pem": own.certificate, "own.key": own.key, "ca.pem": authority.pem()}
            places.write(relay, folder, {"ocserv.conf": conf, **secret})
            undo.callback(places.remove, relay, folder)
            places.open_exit(relay, spot, inner=True)
            undo.callback(places.close_exit, relay, spot, inner=True)
            users: list[str] = []
            daemon = Daemon(relay, ["sh", "-euc", _START, "ocserv", folder], mounts=True)
            undo.callback(daemon.stop)
            daemon.await_words("listening (UDP)", limit_s)

            def start(client: Host, source: str, undo: ExitStack) -> Client:
                if client.name not in users:
                    users.append(client.name)
                    twice = f"{password}\n{password}\n".encode()
                    places.run(relay, f"ocpasswd -c {folder}/passwd {client.name}", twice)
                mine = spot.folder(client)
                hook = _HOOK + places.lead(spot, '"$TUNDEV"', '"$INTERNAL_IP4_ADDRESS"')
                files = {"hook.sh": hook.encode(), "ca.pem": authority.pem(), "password": f"{password}\n".encode()}
                places.write(client, mine, files)
                undo.callback(places.remove, client, mine)
                undo.callback(places.revert, client, spot)
                places.approach(client, spot, address, source)
                places.divert(client, spot)
                words = ["openconnect", "--verbose", "--non-inter", f"--user={client.name}", "--passwd-on-stdin"]
                words += [f"--cafile={mine}/ca.pem", f"--script={mine}/hook.sh", f"--interface=oc-{client.name}"]
                words += [f"--resolve={_SITE}:{address}", "--reconnect-timeout=600", f"https://{_SITE}:{_PORT}"]
                begin = time.monotonic()
                shell = ["sh", "-c", 'exec "$@" <"$0"', f"{mine}/password", *words]
                daemon = Daemon(client, shell)
                undo.callback(daemon.stop)
                return of_daemon(daemon, begin, tunnel_way(daemon, address), _UP, _WORDS)

            return Server(spot, relay, daemon, start, undo.pop_all())
