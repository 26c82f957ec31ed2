"""What a lab could leave behind: processes, namespaces, mounts, sockets, files. Asks the kernel, not the lab."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

KINDS = ("mnt", "net", "pid", "user")
#: words in the names of files that a lab or its programs could leave
NAMES = ("penstock", "mininet", "nginx", "dnsmasq", "pymp")


def processes() -> dict[int, tuple[int, str]]:
    """Process id -> (parent, command line); without those that have ended and wait to be asked for their status."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found[int(entry.name)] = int(parent), (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
    return found


def namespaces(pid: int) -> set[str]:
    found = set()
    for kind in KINDS:
        try:
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
        except OSError:
            continue
    return found


def below(pid: int) -> dict[int, str]:
    """The process and all that descend from it, with their command lines."""
    all_of_them = processes()
    found = {pid: all_of_them[pid][1]}
    grew = True
    while grew:
        more = {child: line for child, (parent, line) in all_of_them.items() if parent in found and child not in found}
        found |= more
        grew = bool(more)
    return found


@dataclass(frozen=True)
class Footprint:
    """A running lab as the outside sees it."""

    members: dict[int, str]
    spaces: set[str]

    @staticmethod
    def of(pid: int) -> Footprint:
        members = below(pid)
        mine = namespaces(os.getpid())
        return Footprint(members, set().union(*(namespaces(member) for member in members)) - mine)

    def find(self, *words: str) -> int:
        """The first member whose command line has all the words."""
        return next(pid for pid, line in self.members.items() if all(word in line for word in words))

    def holder(self) -> int:
        """Process 1 of the lab: the child of the first member."""
        first = next(iter(self.members))
        return next(pid for pid, (parent, _) in processes().items() if parent == first)

    def left(self) -> list[str]:
        """What of it is still there."""
        found = []
        for pid in processes():
            shared = namespaces(pid) & self.spaces
            if shared:
                found.append(f"process {pid} in {sorted(shared)}")
        return found

    def gone_within(self, seconds: float) -> list[str]:
        """Wait until nothing is left; what is left after that time."""
        end = time.monotonic() + seconds
        while self.left() and time.monotonic() < end:
            time.sleep(0.02)
        return self.left()


def traces() -> set[str]:
    """Mounts, abstract sockets and files of this user's labs that the outside sees."""
    found = {f"mount {line.split()[4]}" for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    mark = f"@penstock-{os.geteuid()}-{os.getpid()}"
    found |= {f"socket {line.split()[-1]}" for line in Path("/proc/net/unix").read_text().splitlines() if mark in line}
    for folder in ("/tmp", "/var/tmp", "/run", "/dev/shm", str(Path.home())):
        if Path(folder).is_dir():
            found |= {f"{folder}/{name}" for name in os.listdir(folder) if any(word in name for word in NAMES)}
    return found
