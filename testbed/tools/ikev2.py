"""IKEv2 with strongSwan, its ESP in userspace (kernel-libipsec): the same program whether or not the kernel has ESP.

ESP is always carried in UDP 4500, as behind NAT. A request is sent again after 1 s, 1.8 s, ... and given up after 22 s
(strongSwan: 4 s and 165 s), so that a run of minutes sees what a user sees in an evening.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import ClassVar

from testbed import failure
from testbed.tool import Host, Kind
from testbed.tools import keys, places
from testbed.tools.daemons import Daemon
from testbed.tools.installed import need
from testbed.tools.places import Spot
from testbed.tools.serving import Client, Server, of_daemon, tunnel_way

_LIBRARY = "/usr/lib/ipsec"
_SUITE = "aes128gcm16-prfsha256-curve25519"
_ESP = "aes128gcm16-curve25519"
_ORDER = 33_000  #: behind the rules that every host has
_INTERFACE = "ipsec0"  #: kernel-libipsec knows no other name

#: without roaming: addresses come and go here for our own reasons. Its routes go to the tunnel's own table, by a rule
#: that is never reached, since that of the table decides who goes through the tunnel
_CHARON = """\
charon {{
  load = random nonce openssl hmac kdf sha1 sha2 vici kernel-libipsec kernel-netlink socket-default updown
  routing_table = {table}
  routing_table_prio = {order}
  retransmit_timeout = 1.0
  retransmit_tries = 4
  plugins {{
    vici {{ socket = unix://{folder}/vici }}
    kernel-libipsec {{ allow_peer_ts = yes }}
    kernel-netlink {{ roam_events = no }}
  }}
  filelog {{ stderr {{
    default = 1
    flush_line = yes
  }} }}
}}
"""
_SERVER = """\
connections {{ all {{
  version = 2
  mobike = no
  local_addrs = {address}
  pools = inner
  proposals = {suite}
  local {{
    auth = psk
    id = vpn.example
  }}
  remote {{ auth = psk }}
  children {{ net {{
    local_ts = 0.0.0.0/0
    esp_proposals = {esp}
  }} }}
}} }}
pools {{ inner {{ addrs = {first}-{last} }} }}
secrets {{ ike {{ secret = "{secret}" }} }}
"""
_CLIENT = """\
connections {{ relay {{
  version = 2
  mobike = no
  local_addrs = {own}
  remote_addrs = {address}
  vips = 0.0.0.0
  proposals = {suite}
  encap = yes
  keyingtries = 0
  dpd_delay = 5s
  local {{
    auth = psk
    id = {name}.client.example
  }}
  remote {{
    auth = psk
    id = vpn.example
  }}
  children {{ net {{
    remote_ts = 0.0.0.0/0
    esp_proposals = {esp}
    start_action = start
    dpd_action = restart
    close_action = start
    updown = {folder}/updown.sh
  }} }}
}} }}
secrets {{ ike {{ secret = "{secret}" }} }}
"""
_HOOK = """\
#!/bin/sh
set -eu
[ "$PLUTO_VERB" = up-client ] || exit 0
"""
#: a copy of the programs, which the host's AppArmor profiles do not keep from our files; a /run for each, where charon
#: keeps its process id and refuses to start twice
_START = f"""\
cp {_LIBRARY}/charon /usr/sbin/swanctl "$1"
mkdir "$1/run"
mount -t tmpfs tmpfs "$1/run"
mkdir "$1/run/penstock"
mount --rbind /run/penstock "$1/run/penstock"
mount --rbind "$1/run" /run
exec "$1/charon"
"""
_LOAD = """\
n=0
until [ -S {folder}/vici ]; do
  n=$((n + 1))
  [ $n -lt 500 ] || {{ echo "charon opens no control socket" >&2; exit 1; }}
  sleep 0.02
done
export STRONGSWAN_CONF={folder}/strongswan.conf
{folder}/swanctl --load-all --noprompt --uri unix://{folder}/vici --file {folder}/swanctl.conf
"""
_UP = r"CHILD_SA net\{\d+\} established"
_WORDS = {
    "giving up after": failure.TIMEOUT,
    "sending retransmit": failure.TIMEOUT,
    "AUTHENTICATION_FAILED": failure.unknown("authentication failed"),
}


class Ikev2:
    """`charon` and `swanctl` on both sides."""

    name = "ikev2"
    about = "IKEv2 over UDP 500 and 4500, ESP in UDP"
    kind = Kind.TUNNEL
    programs: ClassVar[Mapping[str, str]] = {
        f"{_LIBRARY}/charon": "strongswan-charon",
        "swanctl": "strongswan-swanctl",
        f"{_LIBRARY}/plugins/libstrongswan-kernel-libipsec.so": "libcharon-extra-plugins",
        f"{_LIBRARY}/plugins/libstrongswan-openssl.so": "libstrongswan-standard-plugins",
    }
    asks_version = ("swanctl", "--version")
    server_ports = (("udp", 500), ("udp", 4500))

    def means(self) -> str:
        return "kernel-libipsec"

    def serve(self, relay: Host, limit_s: float = 30.0) -> Server:
        need(self)
        spot = Spot(tool=self.name, number=5)
        address, secret = spot.address(relay), keys.password()
        with ExitStack() as undo:
            conf = _SERVER.format(
                address=address, suite=_SUITE, esp=_ESP, first=spot.inner[2], last=spot.inner[-2], secret=secret
            )
            places.open_exit(relay, spot, inner=True)
            undo.callback(places.close_exit, relay, spot, inner=True)
            daemon = _start(relay, spot, undo, {"swanctl.conf": conf})
            route = f"ip route replace {spot.inner} dev {_INTERFACE}\n"
            places.run(relay, _LOAD.format(folder=spot.folder(relay)) + route)

            def start(client: Host, source: str, undo: ExitStack) -> Client:
                folder = spot.folder(client)
                conf = _CLIENT.format(
                    own=source or client.ipv4,
                    address=address,
                    suite=_SUITE,
                    esp=_ESP,
                    name=client.name,
                    folder=folder,
                    secret=secret,
                )
                hook = _HOOK + places.lead(spot, _INTERFACE, '"$PLUTO_MY_SOURCEIP4_1"')
                undo.callback(places.revert, client, spot)
                places.approach(client, spot, address, source)
                places.divert(client, spot)
                if source:  # charon must find it on an interface; that the whole block is routed here is not enough
                    undo.callback(places.run, client, f"ip addr del {source}/32 dev lo || :")
                    places.run(client, f"ip addr replace {source}/32 dev lo")
                begin = time.monotonic()
                daemon = _start(client, spot, undo, {"swanctl.conf": conf, "updown.sh": hook})
                places.run(client, _LOAD.format(folder=folder))
                return of_daemon(daemon, begin, tunnel_way(daemon, address), _UP, _WORDS)

            return Server(spot, relay, daemon, start, undo.pop_all())


def _start(host: Host, spot: Spot, undo: ExitStack, files: dict[str, bytes | str]) -> Daemon:
    folder = spot.folder(host)
    places.write(
        host, folder, files | {"strongswan.conf": _CHARON.format(folder=folder, table=spot.table, order=_ORDER)}
    )
    undo.callback(places.remove, host, folder)
    undo.callback(places.run, host, f"for family in -4 -6; do ip $family rule del pref {_ORDER} 2>/dev/null || :; done")
    env = {"STRONGSWAN_CONF": f"{folder}/strongswan.conf"}
    daemon = Daemon(host, ["sh", "-euc", _START, "charon", folder], env, mounts=True)
    undo.callback(daemon.stop)
    return daemon
