"""The report of `penstock doctor`: machine, kernel, programs and libraries, and what follows for a lab from each.

Tries nothing in the kernel itself (`testbed.doctor` does) and installs nothing.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from middlebox.build import compiled, words
from testbed.doctor import Features, Found, probe
from testbed.emulate.tools import PACKAGES, search_path
from testbed.tools import TOOLS, installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the report."""

    section: str
    name: str
    found: bool
    detail: str
    follows: str  #: what follows for a lab
    needed: bool  #: no lab without it


#: feature -> what it is called, what follows if it is there, what if not; the order of the report
_FOLLOWS = {
    "namespaces": ("namespaces", "a lab can be built", "no lab can be built"),
    "user_namespaces": ("user namespaces", "the lab needs no root", "the lab needs root: put sudo in front"),
    "veth": ("veth links", "", "hosts cannot be connected"),
    "ipv6": ("IPv6", "", "the IPv6 targets of scenarios have no result"),
    "offloads": (
        "switching offloads",
        "captures show packets as on a wire",
        "captures may show segments of up to 64 kB",
    ),
    "nfqueue": ("NFQUEUE by iptables", "the censor can sit in the path", "the censor cannot be attached"),
    "nfqueue_ipv6": ("NFQUEUE by ip6tables", "", "the censor does not see IPv6"),
    "nfqueue_nft": ("NFQUEUE by nft", "", "nothing: the lab queues by iptables"),
    "conntrack": ("conntrack", "", "decided flows cannot be left to the kernel"),
    "connmark": ("connection marks", "", "decided flows cannot be left to the kernel"),
    "data_plane": (
        "fates of flows by nf_tables",
        "decided flows are left to the kernel",
        "the box is asked about every packet: slow bulk, and rows say so",
    ),
    "workers": ("sharing packets out", "a box can have several workers", "a box has one process: no --workers"),
    "hashlimit": ("hashlimit", "", "nothing: nf_tables polices single flows"),
    "nat": ("NAT by iptables", "", "no VPNs in the lab: nobody can come out at the relay's address"),
    "policy_routing": ("policy routing", "", "no VPNs in the lab: nothing can be led into a tunnel"),
    "netem": (
        "netem",
        "delay and loss of links by the kernel",
        "delay and loss of links by the userspace delay line; each row says so",
    ),
    "tbf": ("TBF", "rates of links by the kernel", "links with a rate cannot be built"),
    "htb": ("HTB", "", "no shaping by class"),
    "fq": ("fq", "pacing as on current servers", "TCP paces by itself (a timer of each socket)"),
    "fq_codel": ("fq_codel", "", "queues are plain first-in first-out"),
    "police": ("tc police", "", "policing by hashlimit or by the censor only"),
    "ifb": ("ifb", "", "no shaping of what comes in"),
    "bridge": ("bridges", "", "nothing: the lab is routed"),
    "wireguard": ("WireGuard", "", "WireGuard only in userspace"),
    "tun": ("TUN", "", "no VPNs in userspace; if it is only closed to this user, ./setup --tools opens it"),
    "congestion": ("congestion controls", "", "the congestion control cannot be set"),
    "congestion_default": ("default of the kernel", "", ""),
}
#: no lab without these
NEEDED = ("namespaces", "veth", "nfqueue", "tbf")

#: program -> how to ask for its version, and what follows if it is missing ("": the lab needs it)
_PROGRAMS = {
    "unshare": ("--version", ""),
    "ip": ("-V", ""),
    "tc": ("-V", ""),
    "iptables": ("--version", ""),
    "ip6tables": ("--version", ""),
    "mnexec": ("-v", ""),
    "dnsmasq": ("--version", ""),
    "nginx": ("-v", ""),
    "tcpdump": ("--version", ""),
    "curl": ("--version", ""),
    "dig": ("-v", ""),
    "ethtool": ("--version", "offloads can only be read by the lab itself"),
    "ping": ("-V", "no echo requests by hand"),
    "nft": ("--version", "the box is asked about every packet: slow bulk"),
    "tshark": ("--version", "no second opinion on captures"),
    "chromium": ("--version", "no real browser; curl_cffi sends browsers' ClientHellos"),
    "iperf3": ("--version", "nothing: the lab brings its own bulk transfers"),
}
_LIBRARIES = ("mininet", "netfilterqueue", "pandas", "matplotlib", "curl_cffi", "cryptography", "ruamel.yaml", "rich")


def report() -> Iterator[Line]:
    """The whole report, line by line; the last line (section `lab`) says whether a lab can run here."""
    wrong: list[Line] = []
    for line in (*_machine(), *_kernel(probe()), *_programs(), *_tools(probe()), *_libraries()):
        if line.needed and not line.found:
            wrong.append(line)
        yield line
    yield _verdict(wrong)


def _verdict(wrong: list[Line]) -> Line:
    """What to do, by the first thing that is wrong: namespaces, then what setup installs, then the kernel."""
    state, follows = "can run here", "./penstock run sni-filtering"
    if wrong:
        state = "cannot run here"
        first = next((line for line in wrong if line.name == "namespaces"), wrong[0])
        installable = [line for line in wrong if line.section != "kernel"]
        if first.name == "namespaces":
            follows = first.detail
        elif installable:
            state = "cannot run here yet, for want of"
            follows = (
                f"{', '.join(line.name for line in installable)}; './penstock run' installs what is missing by itself, "
                "as ./setup does"
            )
        else:
            follows = (
                f"this kernel lacks {', '.join(line.name for line in wrong)}; use another, or the Vagrantfile's machine"
            )
    return Line(
        section="lab",
        name="a lab",
        found=not wrong,
        detail=state,
        follows=follows,
        needed=True,
    )


def _fact(name: str, detail: str, follows: str = "") -> Line:
    return Line(section="machine", name=name, found=True, detail=detail, follows=follows, needed=False)


def _machine() -> Iterator[Line]:
    processors = len(os.sched_getaffinity(0))
    follows = "" if processors > 1 else "one processor for clients, servers and the censor: expect suspect rows"
    yield _fact("system", f"{_system_name()}, {platform.machine()}")
    yield _fact("kernel", platform.release())
    yield _fact("inside", _inside())
    yield _fact("processors", str(processors), follows)
    yield _fact("memory", f"{_memory('MemTotal')} MB, {_memory('MemAvailable')} MB free")
    yield _fact("user", "root" if os.geteuid() == 0 else "an ordinary user")
    yield _fact("Python", f"{platform.python_version()} ({sys.executable})")
    yield _fact("engine", words(), "" if compiled() else "./setup --fast compiles it: three to nine times as fast")


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _memory(name: str) -> int:
    """A figure of /proc/meminfo in megabytes; 0 if it is not told."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 // 1_000_000 if found else 0


def _inside() -> str:
    """A container, a virtual machine, both or neither, as far as they show themselves."""
    marks = (("/.dockerenv", "a Docker container"), ("/run/.containerenv", "a Podman container"))
    inside = [name for mark, name in marks if Path(mark).exists()]
    if re.search(r"^flags\s*:.*\bhypervisor\b", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
        inside.append("a virtual machine")
    return " in ".join(inside) or "no container, no virtual machine that shows itself"


def _kernel(features: Features) -> Iterator[Line]:
    for key, (name, good, bad) in _FOLLOWS.items():
        found: Found = getattr(features, key)
        if key == "congestion" and "bbr" not in found.detail.split():
            good = "bbr is there after: sudo modprobe tcp_bbr"
        yield Line(
            section="kernel",
            name=name,
            found=found.ok,
            detail=found.detail,
            follows=good if found else bad,
            needed=key in NEEDED,
        )


def _programs() -> Iterator[Line]:
    for name, (ask, bad) in _PROGRAMS.items():
        path = shutil.which(name, path=search_path())
        detail = _version([path, ask]) if path else f"package {PACKAGES.get(name, name)}" if not bad else ""
        follows = "" if path else bad or "the lab needs it"
        yield Line(section="programs", name=name, found=bool(path), detail=detail, follows=follows, needed=not bad)


def _tools(features: Features) -> Iterator[Line]:
    """The VPNs and proxies of `testbed.tools`; a lab can do without any of them."""
    for tool in TOOLS.values():
        packages, kernel = installed.missing(tool), installed.lacking(tool, features)
        detail = f"{_version([*tool.asks_version])} ({tool.means()})"
        follows = ""
        if packages:
            detail = f"packages {', '.join(sorted(set(packages.values())))}"
            follows = "no measurements with it; ./setup --tools installs it"
        elif kernel:
            names = ", ".join(_FOLLOWS[name][0] for name in kernel)
            follows = f"no measurements with it: the kernel lacks {names} (see above)"
        yield Line(
            section="VPNs and proxies",
            name=tool.name,
            found=not packages and not kernel,
            detail=detail,
            follows=follows,
            needed=False,
        )


def _version(command: list[str]) -> str:
    """The first number with a dot that the program says of itself; it may have said it and failed."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not start: {error}"
    found = re.search(r"\d+(\.\d+)+\S*", done.stdout + done.stderr)
    return found[0].rstrip(",;)") if found else ""


def _libraries() -> Iterator[Line]:
    for name in _LIBRARIES:
        try:
            importlib.import_module(name)
            detail = importlib.metadata.version(name)
            found = True
        except Exception as error:  # whatever a broken library raises is what the reader must see
            detail, found = str(error), False
        yield Line(
            section="libraries",
            name=name,
            found=found,
            detail=detail,
            follows="" if found else "the lab needs it",
            needed=True,
        )
