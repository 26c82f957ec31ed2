"""What this machine's kernel has for a lab, found by trying in scratch namespaces.

Installs nothing, changes nothing on the host, and never concludes from a list of modules or a version number.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

from testbed.emulate.namespaces import forbidden, unshare_command
from testbed.emulate.tools import search_path

#: seconds for all probes together, on an emulated processor 40 times slower than usual
_PATIENCE_S = 180.0
_USER = ("--user", "--map-root-user")


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a feature is there; true or false by itself."""

    ok: bool
    #: its version or value if found, else why not
    detail: str = ""

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What the kernel can do for a lab of this user."""

    namespaces: Found  #: fresh network, mount and process namespaces, by root's right or by a user namespace
    user_namespaces: Found  #: the same without root
    veth: Found
    ipv6: Found
    offloads: Found  #: can be switched on veth links
    nfqueue: Found  #: a packet was sent through a queue with iptables and the NetfilterQueue library
    nfqueue_ipv6: Found
    nfqueue_nft: Found
    conntrack: Found
    connmark: Found
    data_plane: Found  #: the table by which the kernel carries out what the box has decided
    workers: Found  #: packets can be shared out among several processes of a box
    nat: Found
    policy_routing: Found  #: routes by the sender's address
    hashlimit: Found
    netem: Found
    tbf: Found
    htb: Found
    fq: Found
    fq_codel: Found
    police: Found
    ifb: Found
    bridge: Found
    wireguard: Found
    tun: Found
    congestion: Found  #: detail: the congestion controls that a program may choose
    congestion_default: Found


@functools.cache
def probe() -> Features:
    """Try everything, once a process; takes a fraction of a second and leaves nothing."""
    user = _user_namespaces()
    reason = forbidden()
    if reason:
        others = [field.name for field in fields(Features) if not field.name.endswith("namespaces")]
        tried = dict.fromkeys(others, Found(False, "could not be tried"))
        return Features(namespaces=Found(False, reason), user_namespaces=user, **tried)
    way = Found(True, "in a user namespace" if _USER[0] in unshare_command() else "as root")
    return Features(namespaces=way, user_namespaces=user, **_try_all())


def _user_namespaces() -> Found:
    command = [program for program in unshare_command() if program not in _USER]
    done = _run([command[0], *_USER, *command[1:], "true"])
    return Found(done.returncode == 0, done.stderr.strip().removeprefix("unshare: "))


def _try_all() -> dict[str, Found]:
    done = _run([*unshare_command(), sys.executable, "-P", "-m", "testbed.probing"])
    if done.returncode:
        raise RuntimeError(f"the probes themselves failed: {done.stderr.strip()}")
    return {name: Found(ok, detail) for name, (ok, detail) in json.loads(done.stdout).items()}


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": search_path(), "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
        cwd="/",
        env=environment,
    )
