"""OpenVPN: over UDP, over TCP, and over UDP with tls-crypt, which hides the TLS handshake but not the opcodes.

Both ends have certificates. The waiting times are a quarter of OpenVPN's own, so that a run of minutes sees what a
user sees in an evening: a client notices a dead server after 15 s and gives one handshake 15 s.
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

_UP = "Initialization Sequence Completed"

#: without data-channel offload, which few kernels have: the same program everywhere
_BOTH = """\
dev-type tun
topology subnet
ca ca.pem
cert own.pem
key own.key
data-ciphers AES-256-GCM:CHACHA20-POLY1305
disable-dco
persist-key
persist-tun
hand-window 15
verb 3
"""
_SERVER = """\
server {network} {mask}
local {address}
port {port}
proto {proto}
dev {interface}
dh none
ifconfig-pool-persist pool.txt
keepalive 4 15
"""
_CLIENT = """\
client
remote {address} {port}
proto {proto}
dev {interface}
nobind
remote-cert-tls server
connect-retry 1 8
connect-timeout 15
script-security 2
up {folder}/up.sh
"""

#: its own words for what errno would say
_WORDS = {
    "TLS key negotiation failed": failure.TIMEOUT,
    "Connection reset, restarting": failure.RESET,
    "Inactivity timeout": failure.TIMEOUT,
    "AUTH_FAILED": failure.unknown("authentication failed"),
}


class OpenVpn:
    """One way to carry OpenVPN."""

    kind = Kind.TUNNEL
    programs: ClassVar[Mapping[str, str]] = {"openvpn": "openvpn"}
    asks_version = ("openvpn", "--version")

    def __init__(self, name: str, about: str, number: int, proto: str, port: int, *, tls_crypt: bool = False) -> None:
        self.name = name
        self.about = about
        self.server_ports = ((proto, port),)
        self._spot = Spot(tool=name, number=number)
        self._tls_crypt = tls_crypt

    def means(self) -> str:
        return "openvpn without DCO"

    def serve(self, relay: Host, limit_s: float = 30.0) -> Server:
        need(self)
        spot, ((proto, port),) = self._spot, self.server_ports
        address = spot.address(relay)
        authority = Authority.make()
        shared = {"ca.pem": authority.pem()}
        both = _BOTH
        if self._tls_crypt:
            shared["tls-crypt.key"] = keys.openvpn_static_key().encode()
            both += "tls-crypt tls-crypt.key\n"
        own = {name: keys.identity(authority, name) for name in ("server",)}

        def files(name: str, conf: str) -> dict[str, bytes | str]:
            mine = own.setdefault(name, keys.identity(authority, name))
            return {"openvpn.conf": both + conf, "own.pem": mine.certificate, "own.key": mine.key, **shared}

        with ExitStack() as undo:
            conf = _SERVER.format(
                network=spot.inner.network_address,
                mask=spot.inner.netmask,
                address=address,
                port=port,
                proto=f"{proto}4" if proto == "udp" else "tcp4-server",
                interface=self._interface(relay),
            )
            folder = spot.folder(relay)
            places.write(relay, folder, files("server", conf))
            undo.callback(places.remove, relay, folder)
            places.open_exit(relay, spot, inner=True)
            undo.callback(places.close_exit, relay, spot, inner=True)
            daemon = _start(relay, folder, undo)
            daemon.await_words(_UP, limit_s)

            def start(client: Host, source: str, undo: ExitStack) -> Client:
                folder = spot.folder(client)
                conf = _CLIENT.format(
                    address=address,
                    port=port,
                    proto=f"{proto}4" if proto == "udp" else "tcp4-client",
                    interface=self._interface(client),
                    folder=folder,
                )
                conf += "explicit-exit-notify 1\n" if proto == "udp" else ""
                hook = "#!/bin/sh\nset -eu\n" + places.lead(spot, '"$dev"', '"$ifconfig_local"')
                places.write(client, folder, {"up.sh": hook, **files(client.name, conf)})
                undo.callback(places.remove, client, folder)
                undo.callback(places.revert, client, spot)
                places.approach(client, spot, address, source)
                places.divert(client, spot)
                begin = time.monotonic()
                daemon = _start(client, folder, undo)
                return of_daemon(daemon, begin, tunnel_way(daemon, address), _UP, _WORDS)

            return Server(spot, relay, daemon, start, undo.pop_all())

    def _interface(self, host: Host) -> str:
        return f"ov{self._spot.number}-{host.name}"


def _start(host: Host, folder: str, undo: ExitStack) -> Daemon:
    daemon = Daemon(host, ["openvpn", "--cd", folder, "--config", "openvpn.conf"])
    undo.callback(daemon.stop)
    return daemon
