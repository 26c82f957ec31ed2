"""What this kernel can do, found by trying; run by `testbed.doctor` alone in fresh namespaces of its own.

Never run it elsewhere: it makes links and firewall rules. Knows nothing of what the lab needs. Prints one JSON
object: feature -> [found, detail].
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from testbed.emulate import offloads
from testbed.emulate.tools import search_path

#: seconds that one command may take, also on an emulated processor
_PATIENCE_S = 30.0
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
#: those that papers on throttling and on video ask for, the usual ones first
_CONGESTION = (
    "cubic",
    "reno",
    "bbr",
    "dctcp",
    "vegas",
    "westwood",
    "htcp",
    "hybla",
    "illinois",
    "scalable",
    "yeah",
    "lp",
)


def _run(command: str) -> None:
    """Run a command, its words parted by spaces; raises OSError with the last line that it said if it fails."""
    program, *words = command.split()
    path = shutil.which(program, path=search_path())
    if path is None:
        raise OSError(f"the program {program} is not installed")
    done = subprocess.run(
        [path, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line and not line.startswith("Try ")]
        raise OSError(said[0] if said else f"{program}: exit status {done.returncode}")


def _commands(*commands: str, detail: str = "") -> Callable[[], str]:
    def run() -> str:
        for command in commands:
            _run(command)
        return detail

    return run


def _queueing(words: str) -> Callable[[], str]:
    return _commands(f"tc qdisc replace dev left root {words}", "tc qdisc del dev left root")


def _offloads() -> str:
    before = offloads.state("left")
    offloads.switch("left", False)
    stuck = [name for name, on in offloads.state("left").items() if on]
    if stuck:
        raise OSError(f"these cannot be switched off on a veth link: {' '.join(stuck)}")
    return "on before: " + (" ".join(name for name, on in before.items() if on) or "none")


def _tun() -> str:
    with open("/dev/net/tun", "r+b", buffering=0) as device:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"try-tun", _IFF_TUN | _IFF_NO_PI))
    return ""


def _congestion() -> str:
    usable = []
    for name in _CONGESTION:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
            try:
                tried.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
            except OSError:
                continue
            usable.append(name)
    if not usable:
        raise OSError("none can be set")
    return " ".join(usable)


def _default_congestion() -> str:
    return Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def _data_plane() -> str:
    """Load the table of a box whose rules pass, drop and police, and ask connection tracking for a flow."""
    from middlebox.drivers.conntrack import Conntrack
    from middlebox.drivers.plane import Plan, Policing, Wanted
    from middlebox.drivers.tables import TableError, load
    from middlebox.verdict import Direction

    slow = Policing(rate=16_000, burst=16_000, share="flow", directions=frozenset(Direction))
    try:
        load(Plan("try_box", Wanted(dropped=("one",), policed={"two": slow})).text())
    except TableError as error:
        raise OSError(str(error)) from error
    Conntrack().close()
    return ""


def _workers() -> str:
    """Add the rules of a box of two workers, which share packets out by their addresses."""
    from middlebox.drivers.attach import AttachError, Rules

    rules = Rules(80, fail_open=False, mark=0x77, workers=2)
    try:
        rules.add()
        rules.remove()
    except AttachError as error:
        raise OSError(str(error)) from error
    return ""


def _queue() -> str:
    """Send one packet to ourselves through the queue: the rule, the library and the kernel must all work."""
    from netfilterqueue import NetfilterQueue, Packet

    seen: list[bytes] = []

    def accept(packet: Packet) -> None:
        seen.append(packet.get_payload())
        packet.accept()

    queue = NetfilterQueue()
    queue.bind(77, accept)
    try:
        _run("iptables -w -t mangle -A OUTPUT -o lo -p udp -j NFQUEUE --queue-num 77")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.bind(("127.0.0.1", 0))
            ours.sendto(b"through the queue", ours.getsockname())
            if select.select([queue.get_fd()], [], [], _PATIENCE_S)[0]:
                queue.run(block=False)
    finally:
        queue.unbind()
    if not seen or not seen[0].endswith(b"through the queue"):
        raise OSError("a packet sent into the queue did not come out")
    return ""


#: feature -> how it is tried, in this order: later ones use the links of the first
TRIES: dict[str, Callable[[], str]] = {
    "veth": _commands(
        "ip link set lo up",
        "ip link add left type veth peer name right",
        "ip link set left up",
        "ip link set right up",
        "ip addr add 192.0.2.1/24 dev left",
    ),
    "ipv6": _commands("ip -6 addr add 2001:db8::1/64 dev left nodad"),
    "offloads": _offloads,
    "nfqueue": _queue,
    "nfqueue_ipv6": _commands("ip6tables -w -t mangle -A FORWARD -j NFQUEUE --queue-num 78"),
    "nfqueue_nft": _commands(
        "nft add table inet try",
        "nft add chain inet try forward { type filter hook forward priority 0 ; }",
        "nft add rule inet try forward queue num 79",
    ),
    "conntrack": _commands("iptables -w -A FORWARD -m conntrack --ctstate NEW -j ACCEPT"),
    "connmark": _commands(
        "iptables -w -t mangle -A FORWARD -m connmark --mark 1 -j ACCEPT",
        "iptables -w -t mangle -A FORWARD -j CONNMARK --save-mark",
    ),
    "data_plane": _data_plane,
    "workers": _workers,
    "nat": _commands("iptables -w -t nat -A POSTROUTING -s 192.0.2.0/24 -j SNAT --to-source 192.0.2.1"),
    "policy_routing": _commands(
        "ip route add unreachable default table 5000", "ip rule add pref 5000 from 0.0.0.0/32 lookup 5000"
    ),
    "hashlimit": _commands(
        "iptables -w -A FORWARD -m hashlimit --hashlimit-name try --hashlimit-above 1mb/s --hashlimit-mode srcip"
    ),
    "netem": _queueing("netem delay 10ms loss 1%"),
    "tbf": _queueing("tbf rate 1mbit burst 10kb latency 50ms"),
    "htb": _commands(
        "tc qdisc replace dev left root handle 1: htb",
        "tc class add dev left parent 1: classid 1:1 htb rate 1mbit",
        "tc qdisc del dev left root",
    ),
    "fq": _queueing("fq"),
    "fq_codel": _queueing("fq_codel"),
    "police": _commands(
        "tc qdisc add dev right ingress",
        "tc filter add dev right parent ffff: protocol ip u32 match u32 0 0 police rate 1mbit burst 10k drop",
    ),
    "ifb": _commands("ip link add try-ifb type ifb"),
    "bridge": _commands("ip link add try-bridge type bridge"),
    "wireguard": _commands("ip link add try-wg type wireguard"),
    "tun": _tun,
    "congestion": _congestion,
    "congestion_default": _default_congestion,
}


def probe() -> dict[str, tuple[bool, str]]:
    """Try every feature in this process's namespaces; a failure is an answer, with the reason as its detail."""
    answers = {}
    for name, attempt in TRIES.items():
        try:
            answers[name] = (True, attempt())
        except (OSError, ImportError, subprocess.SubprocessError) as error:
            answers[name] = (False, str(error))
    return answers


def main() -> None:
    if os.getpid() != 1:
        raise SystemExit("testbed.probing runs in fresh namespaces only: ask testbed.doctor.probe()")
    print(json.dumps(probe()))


if __name__ == "__main__":
    main()
