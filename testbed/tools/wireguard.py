"""WireGuard: the kernel's where it has it, else wireguard-go.

The server knows each client's key before it connects, so a handshake is one packet there and one back.
"""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import ExitStack

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from testbed.doctor import probe
from testbed.tool import Host, Kind, Via
from testbed.tools import places
from testbed.tools.daemons import Daemon
from testbed.tools.installed import KERNEL, need
from testbed.tools.places import Spot
from testbed.tools.serving import Client, Server

_PORT = 51820
#: what wg-quick takes on a link of 1500 bytes
_MTU = 1420
#: seconds; the value of its manual for clients behind NAT, and the reason why a client speaks at once
_KEEPALIVE_S = 25
_GO = "wireguard-go"


class WireGuard:
    """`wg setconf` on both sides."""

    name = "wireguard"
    about = "WireGuard over UDP 51820"
    kind = Kind.TUNNEL
    asks_version = ("wg", "--version")
    server_ports = (("udp", _PORT),)

    @property
    def programs(self) -> dict[str, str]:
        return {"wg": "wireguard-tools"} | ({} if self.means() == KERNEL else {_GO: _GO})

    def means(self) -> str:
        return KERNEL if probe().wireguard else _GO

    def serve(self, relay: Host, limit_s: float = 30.0) -> Server:
        need(self)
        spot = Spot(tool=self.name, number=1)
        key = X25519PrivateKey.generate()
        keys: dict[str, X25519PrivateKey] = {}
        address = spot.address(relay)
        with ExitStack() as undo:
            _write(relay, spot, undo, f"[Interface]\nPrivateKey = {_private(key)}\nListenPort = {_PORT}\n")
            daemon = self._interface(relay, limit_s, undo)
            places.open_exit(relay, spot, inner=True)
            undo.callback(places.close_exit, relay, spot, inner=True)
            _raise(relay, spot, f"{spot.gate}/{spot.inner.prefixlen}")

            def start(client: Host, source: str, undo: ExitStack) -> Client:
                own = keys.setdefault(client.name, X25519PrivateKey.generate())
                inner = str(spot.inner[2 + list(keys).index(client.name)])
                places.run(relay, f"wg set {_interface(relay)} peer {_public(own)} allowed-ips {inner}/32")
                conf = (
                    f"[Interface]\nPrivateKey = {_private(own)}\n[Peer]\nPublicKey = {_public(key)}\n"
                    f"Endpoint = {address}:{_PORT}\nAllowedIPs = 0.0.0.0/0\nPersistentKeepalive = {_KEEPALIVE_S}\n"
                )
                _write(client, spot, undo, conf)
                undo.callback(places.revert, client, spot)
                places.approach(client, spot, address, source)
                places.divert(client, spot)
                daemon = self._interface(client, limit_s, undo)
                begin = time.monotonic()
                _raise(client, spot, f"{inner}/32", places.lead(spot, _interface(client), inner))
                via = Via(source=inner, interface=_interface(client), exit=address)
                return Client(daemon=daemon, way=lambda: via, alive=lambda: _alive(client, daemon), begin_s=begin)

            return Server(spot, relay, daemon, start, undo.pop_all(), lambda: _alive(relay, daemon))

    def _interface(self, host: Host, limit_s: float, undo: ExitStack) -> Daemon | None:
        """Make the interface."""
        name = _interface(host)
        if self.means() == KERNEL:
            places.run(host, f"ip link add {name} type wireguard")
            undo.callback(places.run, host, f"ip link del {name} || :")
            return None
        # its socket is named after the interface, which is why no two hosts' interfaces have the same name
        undo.callback(places.run, host, f"rm -f /run/wireguard/{name}.sock")
        daemon = Daemon(host, [_GO, "-f", name], {"LOG_LEVEL": "verbose"})
        undo.callback(daemon.stop)
        daemon.await_words("UAPI listener started", limit_s)
        return daemon


def _interface(host: Host) -> str:
    return f"wg-{host.name}"


def _write(host: Host, spot: Spot, undo: ExitStack, conf: str) -> None:
    places.write(host, spot.folder(host), {"wg.conf": conf})
    undo.callback(places.remove, host, spot.folder(host))


def _raise(host: Host, spot: Spot, address: str, further: str = "") -> None:
    """Configure the interface and set it up."""
    name = _interface(host)
    lines = [
        f"wg setconf {name} {spot.folder(host)}/wg.conf",
        f"ip addr add {address} dev {name}",
        f"ip link set {name} mtu {_MTU} up",
        further,
    ]
    places.run(host, "\n".join(lines))


def _alive(host: Host, daemon: Daemon | None) -> bool:
    if daemon is not None:
        return daemon.alive()
    return host.run(["ip", "link", "show", _interface(host)]).status == 0


def _private(key: X25519PrivateKey) -> str:
    return b64encode(key.private_bytes_raw()).decode()


def _public(key: X25519PrivateKey) -> str:
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return b64encode(raw).decode()
