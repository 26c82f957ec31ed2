"""Attaches the box to a network namespace: first whether it may, then the rules that hand it the forwarded packets.

It refuses any namespace in which live traffic could pass: penstock is a testbed, not a censor for a live network.
Rules are added and taken away one by one as they were added; nothing else in the namespace's tables is touched.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

from middlebox.drivers import sharing

#: kinds of interface (IFLA_INFO_KIND of rtnetlink) that lead to no wire. Pairs and software devices; and the tunnels
#: that some kernels put into every new namespace, which lead only where another interface of the namespace leads
HARMLESS = frozenset(
    (
        *("veth", "tun", "bridge", "dummy", "ifb", "nlmon"),
        *("sit", "ipip", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan", "vti", "vti6"),
    )
)

#: where an administrator's programs are, which many users' PATH leaves out
FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

# rtnetlink(7)
_RTM_GETLINK = 18
_RTM_NEWLINK = 16
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST_DUMP = 0x301
_IFLA_IFNAME = 3
_IFLA_LINKINFO = 18
_IFLA_INFO_KIND = 1
_ARPHRD_LOOPBACK = 772
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # family, device type, index, flags, change
_ATTRIBUTE = struct.Struct("=HH")  # length, type


#: bit of the packet mark by which the kernel's table says that the box need not see a packet
LET_BY = 0x0100_0000


class AttachError(Exception):
    """The box must not or cannot attach; the message is one line for people."""


def refusal(own: str = "/proc/self/ns/net", first: str = "/proc/1/ns/net") -> str:
    """Why the box must not attach to the network namespace that this process is in; "" if it may."""
    why = ""
    try:
        host = os.stat(first)
    except OSError as error:
        why = f"the namespace of process 1 cannot be read ({error.strerror}), so it may be this one"
    else:
        mine = os.stat(own)
        if (mine.st_dev, mine.st_ino) == (host.st_dev, host.st_ino):
            why = "process 1 lives in it"
    if not why:
        for name, kind in interfaces():
            if kind != "loopback" and kind not in HARMLESS:
                why = f"it has the interface '{name}' ({kind or 'a physical device'}), which may lead to a live network"
                break
    if not why:
        return ""
    return (
        f"refusing to attach to this network namespace: {why}. A box runs only in a namespace of a lab, with no "
        "interfaces but lo, veth, tun, bridge and dummy; let the lab start it (penstock exec, run or shell)"
    )


def interfaces() -> Iterator[tuple[str, str]]:
    """The namespace's interfaces, each with its kind: "veth", ... ; "loopback"; "" for a physical device.

    Asked of the kernel by rtnetlink, as /sys may show another namespace. Raises OSError.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as asked:
        asked.bind((0, 0))
        body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        asked.send(_HEADER.pack(_HEADER.size + len(body), _RTM_GETLINK, _NLM_F_REQUEST_DUMP, 1, 0) + body)
        while True:
            heard = asked.recv(1 << 18)
            at = 0
            while at + _HEADER.size <= len(heard):
                length, kind, _, _, _ = _HEADER.unpack_from(heard, at)
                if kind == _NLMSG_DONE:
                    return
                if kind == _NLMSG_ERROR:
                    number = -int.from_bytes(heard[at + 16 : at + 20], "little", signed=True)
                    raise OSError(number, f"the interfaces cannot be listed: {os.strerror(number)}")
                if kind == _RTM_NEWLINK:
                    yield _interface(heard[at + _HEADER.size : at + length])
                at += (length + 3) & ~3


def _interface(body: bytes) -> tuple[str, str]:
    device_type = _LINK.unpack_from(body)[1]
    name, kind = "", ""
    for attribute, value in attributes(body[_LINK.size :]):
        if attribute == _IFLA_IFNAME:
            name = value.rstrip(b"\0").decode(errors="replace")
        elif attribute == _IFLA_LINKINFO:
            for inner, word in attributes(value):
                if inner == _IFLA_INFO_KIND:
                    kind = word.rstrip(b"\0").decode(errors="replace")
    return name, "loopback" if device_type == _ARPHRD_LOOPBACK else kind


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes of a netlink message, each with its kind (netlink(7))."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[at + _ATTRIBUTE.size : at + length]  # the upper bits are flags
        at += (length + 3) & ~3


class Rules:
    """The rules that hand forwarded packets to the queue, and packets with `mark` to the queue after it.

    `let_by`: a bit of the packet mark; packets that have it are not handed over. 0: all are. Of several `workers` each
    has two queues and a mark of its own, counted on from the first one's.
    """

    def __init__(self, queue: int, *, fail_open: bool, mark: int, let_by: int = 0, workers: int = 1) -> None:
        self._queue = queue
        self._workers = workers
        self._dead = ["--queue-bypass"] * fail_open  # what becomes of packets when nobody listens
        #: mangle FORWARD comes after routing and sees each packet once, before the filters of the namespace
        self._chosen = ["FORWARD", *(["-m", "mark", "--mark", f"0x0/{let_by:#x}"] if let_by else [])]
        self._marked = [_marked(queue, mark, worker) for worker in range(workers)]
        #: those that a killed box with the same queue may have left
        by_mark = ["-m", "mark", "--mark", f"0x0/{let_by or LET_BY:#x}"]
        plain = [["FORWARD", *chosen, *_to(queue)] for chosen in ([], by_mark)]
        self._known = [*plain, *([*one, "--queue-bypass"] for one in plain)]
        self._known += [_marked(queue, mark, worker) for worker in range(sharing.MAX_WORKERS)]
        self._added: list[tuple[str, list[str]]] = []
        #: true if packets may wait in another queue of this namespace before they come to ours
        self.wait_before = False

    def add(self) -> None:
        """Add the rules, and take away those that a killed box has left. Raises AttachError, and then adds none."""
        try:
            self._add_all()
        except AttachError:
            self.remove()
            raise

    def _add_all(self) -> None:
        for program in programs():
            for rule in _rules(program):
                if rule in self._known or self._left(rule):
                    _run(program, "-D", *rule)
                elif rule[0] == "PREROUTING" and "NFQUEUE" in rule:
                    self.wait_before = True
            for rule in self._wanted(6 if program.endswith("ip6tables") else 4):
                self._add(program, rule)
            if not program.endswith("ip6tables"):  # IPv4 alone needs it
                for rule in self._marked:
                    self._add(program, rule)

    def _wanted(self, version: int) -> Iterator[list[str]]:
        if self._workers == 1:
            yield [*self._chosen, *_to(self._queue), *self._dead]
            return
        for worker in range(self._workers):
            code = sharing.bytecode(sharing.program(version, worker, self._workers, self._queue))
            yield [*self._chosen, "-m", "bpf", "--bytecode", code, *_to(self._queue + 2 * worker), *self._dead]

    def _left(self, rule: list[str]) -> bool:
        """True for the rule of a worker of a killed box with the same queue."""
        if rule[0] != "FORWARD" or "--bytecode" not in rule or "NFQUEUE" not in rule:
            return False
        return sharing.label_of(rule[rule.index("--bytecode") + 1]) == self._queue

    def remove(self) -> None:
        """Take the rules away. Raises AttachError."""
        while self._added:
            program, rule = self._added.pop()
            _run(program, "-D", *rule)

    def _add(self, program: str, rule: list[str]) -> None:
        try:
            _run(program, "-A", *rule)
        except AttachError as error:
            if "bpf" not in rule:
                raise
            raise AttachError(
                f"packets cannot be shared out among workers, which needs iptables' match 'bpf' (xt_bpf): {error}; "
                "use --workers 1"
            ) from error
        self._added.append((program, rule))


def _to(queue: int) -> list[str]:
    return ["-j", "NFQUEUE", "--queue-num", str(queue)]


def _marked(queue: int, mark: int, worker: int) -> list[str]:
    """The rule for what a worker sends with its mark."""
    return ["OUTPUT", "-m", "mark", "--mark", hex(mark + worker), *_to(queue + 2 * worker + 1), "--queue-bypass"]


def programs() -> list[str]:
    """The paths of iptables and, if the kernel has IPv6, ip6tables. Raises AttachError if one is missing."""
    found = []
    for name in ["iptables"] + ["ip6tables"] * Path("/proc/net/if_inet6").exists():
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{FOLDERS}")
        if path is None:
            raise AttachError(f"the program '{name}' is missing; on Debian: apt-get install iptables")
        found.append(path)
    return found


def _rules(program: str) -> Iterator[list[str]]:
    """The rules of the mangle table, each from its chain's name on."""
    for said in _run(program, "-S").splitlines():
        words = shlex.split(said)
        if words[:1] == ["-A"]:
            yield words[1:]


def _run(program: str, *words: str) -> str:
    """Run iptables on the mangle table; `-w`: wait for another program that holds its lock."""
    command = [program, "-w", "10", "-t", "mangle", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise AttachError(f"'{' '.join(command)}' failed: {said}")
    return done.stdout
