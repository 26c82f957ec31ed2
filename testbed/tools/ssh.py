"""`ssh -D`: a SOCKS proxy that every machine with OpenSSH has already.

The client ends when its connection is lost, as it does for everybody; whoever wants it back connects again.
"""

from __future__ import annotations

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

_PORT = 22
_SOCKS_PORT = 1080
_USER = "traveller"
_NUMBER = 22000  #: the user's, which no account of the machine should have

#: an IPv6 address would be preferred for names that have one, and come out at another address
_SERVER = f"""\
Port {_PORT}
ListenAddress {{address}}
AddressFamily inet
HostKey {{folder}}/host
AuthorizedKeysFile {{folder}}/authorized
PasswordAuthentication no
UsePAM no
StrictModes no
UseDNS no
PidFile none
LogLevel VERBOSE
"""
#: sshd gives up root's rights by calls that a user namespace of one user forbids. So it gets another user's number from
#: the start: by a namespace inside, where that may be made, else (for root) by changing to it.
_START = f"""\
folder=$1
{{ cat /etc/passwd; echo "{_USER}:x:{_NUMBER}:{_NUMBER}::/:/bin/sh"; }} >"$folder/passwd"
chmod 644 "$folder/passwd"
mount --bind "$folder/passwd" /etc/passwd
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
set -- /usr/sbin/sshd -D -e -f "$folder/sshd.conf"
if unshare --user --map-user={_NUMBER} --map-group={_NUMBER} true 2>/dev/null; then
  exec unshare --user --map-user={_NUMBER} --map-group={_NUMBER} -- "$@"
fi
chown -R {_NUMBER}:{_NUMBER} "$folder"
chmod 711 "$folder/.." "$folder/../.."
exec setpriv --pdeathsig KILL --reuid {_NUMBER} --regid {_NUMBER} --clear-groups -- "$@"
"""
_CLIENT = """\
Host relay
HostName {address}
Port {port}
User {user}
IdentityFile {folder}/own
IdentitiesOnly yes
UserKnownHostsFile {folder}/known
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
BatchMode yes
ExitOnForwardFailure yes
ServerAliveInterval 5
ServerAliveCountMax 3
DynamicForward 127.0.0.1:{socks}
LogLevel VERBOSE
"""
_UP = "Authenticated to"


class Ssh:
    """OpenSSH's server and client."""

    name = "ssh"
    about = f"ssh -D over TCP {_PORT}"
    kind = Kind.PROXY
    programs: ClassVar[Mapping[str, str]] = {"sshd": "openssh-server", "ssh": "openssh-client"}
    asks_version = ("ssh", "-V")
    server_ports = (("tcp", _PORT),)

    def means(self) -> str:
        return "openssh"

    def serve(self, relay: Host, limit_s: float = 30.0) -> Server:
        need(self)
        # sshd cannot be told from which address it asks servers: it has the relay's own
        spot = Spot(tool=self.name, number=0)
        address, folder = spot.address(relay), spot.folder(relay)
        host_key, host_line = keys.ssh_key()
        own_key, own_line = keys.ssh_key()
        with ExitStack() as undo:
            conf = _SERVER.format(address=address, folder=folder)
            places.write(relay, folder, {"sshd.conf": conf, "host": host_key, "authorized": own_line})
            undo.callback(places.remove, relay, folder)
            daemon = Daemon(relay, ["sh", "-euc", _START, "sh", folder], mounts=True)
            undo.callback(daemon.stop)
            daemon.await_words("Server listening on", limit_s)

            def start(client: Host, source: str, undo: ExitStack) -> Client:
                folder = spot.folder(client)
                conf = _CLIENT.format(address=address, port=_PORT, user=_USER, folder=folder, socks=_SOCKS_PORT)
                known = f"{address} ".encode() + host_line
                places.write(client, folder, {"ssh.conf": conf, "own": own_key, "known": known})
                undo.callback(places.remove, client, folder)
                undo.callback(places.revert, client, spot)
                places.approach(client, spot, address, source)
                begin = time.monotonic()
                daemon = Daemon(client, ["ssh", "-F", f"{folder}/ssh.conf", "-N", "relay"])
                undo.callback(daemon.stop)
                via = Via(proxy=f"socks5h://127.0.0.1:{_SOCKS_PORT}", exit=address)
                return of_daemon(daemon, begin, lambda: via if _UP in daemon.log() else None, _UP)

            return Server(spot, relay, daemon, start, undo.pop_all())
