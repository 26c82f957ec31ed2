"""Shadowsocks with an AEAD cipher: a proxy whose every byte looks random.

It makes a connection of its own for each one that goes through it, so there is nothing to be up and nothing to
reconnect; that it is ready means that a request went through.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import ClassVar

from testbed.tool import Host, Kind, Via
from testbed.tools import keys, places
from testbed.tools.daemons import Daemon
from testbed.tools.installed import need
from testbed.tools.places import Spot
from testbed.tools.serving import Client, Server, of_daemon

_PORT = 8388
_SOCKS_PORT = 1088
_METHOD = "chacha20-ietf-poly1305"
_READY = "listening at"


class Shadowsocks:
    """`ss-server` and `ss-local` of shadowsocks-libev."""

    name = "shadowsocks"
    about = f"Shadowsocks over TCP {_PORT}, {_METHOD}"
    kind = Kind.PROXY
    programs: ClassVar[Mapping[str, str]] = {"ss-server": "shadowsocks-libev", "ss-local": "shadowsocks-libev"}
    asks_version = ("ss-server", "-h")
    server_ports = (("tcp", _PORT),)

    def means(self) -> str:
        return "shadowsocks-libev"

    def serve(self, relay: Host, limit_s: float = 30.0) -> Server:
        need(self)
        spot = Spot(tool=self.name, number=7)
        address = spot.address(relay)
        both = {"server": address, "server_port": _PORT, "password": keys.password(), "method": _METHOD, "timeout": 300}
        with ExitStack() as undo:
            places.open_exit(relay, spot, inner=False)
            undo.callback(places.close_exit, relay, spot, inner=False)
            # bound to the address, its connections to servers come from there
            daemon = _start(relay, spot, undo, "ss-server", both | {"local_address": address})
            daemon.await_words(_READY, limit_s)

            def start(client: Host, source: str, undo: ExitStack) -> Client:
                own = {"local_address": "127.0.0.1", "local_port": _SOCKS_PORT}
                undo.callback(places.revert, client, spot)
                places.approach(client, spot, address, source)
                begin = time.monotonic()
                daemon = _start(client, spot, undo, "ss-local", both | own)
                via = Via(proxy=f"socks5h://127.0.0.1:{_SOCKS_PORT}", exit=address)
                return of_daemon(daemon, begin, lambda: via if _READY in daemon.log() else None)

            return Server(spot, relay, daemon, start, undo.pop_all())


def _start(host: Host, spot: Spot, undo: ExitStack, program: str, conf: dict[str, object]) -> Daemon:
    folder = spot.folder(host)
    places.write(host, folder, {"config.json": json.dumps(conf)})
    undo.callback(places.remove, host, folder)
    daemon = Daemon(host, [program, "-c", f"{folder}/config.json"])
    undo.callback(daemon.stop)
    return daemon
