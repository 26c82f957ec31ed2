"""Where the programs are that the lab starts.

Looks in the folders of the administrator too, which are missing from many users' PATH. Installs nothing.
"""

from __future__ import annotations

import os
import shutil

#: searched after the PATH that the caller came with
ADMIN = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")

#: program -> the Debian package that brings it
PACKAGES = {
    "curl": "curl",
    "dig": "bind9-dnsutils",
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "ip6tables-restore": "iptables",
    "iptables-restore": "iptables",
    "mnexec": "mininet",
    "nft": "nftables",
    "nginx": "nginx-light",
    "tc": "iproute2",
    "tcpdump": "tcpdump",
    "unshare": "util-linux",
}


class MissingToolError(Exception):
    """A program that the lab needs is not installed."""


def search_path(path: str | None = None) -> str:
    """`path` (or this process's PATH) with the administrator's folders behind it."""
    folders = (path if path is not None else os.environ.get("PATH", "")).split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([folder for folder in folders if folder] + list(ADMIN)))


def find(program: str) -> str:
    """The path of a program; raises MissingToolError with the package that brings it."""
    found = shutil.which(program, path=search_path())
    if found is None:
        package = PACKAGES.get(program, program)
        raise MissingToolError(
            f"the program '{program}' is not installed; on Debian and Ubuntu: apt-get install {package}"
        )
    return found
