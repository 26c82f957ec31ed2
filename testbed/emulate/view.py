"""What the lab's processes see of the file system: the host's, but for how names are resolved and whom to trust.

Works in the lab's own mount namespace, so nothing of it is visible, or left, outside.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.emulate import trust
from testbed.emulate.kernel import MS_BIND, MS_REC, mount

#: the lab's own files: configuration, keys, sockets; a tmpfs that ends with the lab
HOME = Path("/run/penstock")
#: the run folder as the lab sees it
OUT = HOME / "out"
BUNDLE = HOME / "ca-bundle.pem"

#: entries of /run whose sockets answer names behind the lab's back (nscd, nss-resolve, mDNS), and those that programs
#: of the lab want to make for themselves
_HIDDEN = {"avahi-daemon", "dbus", "nscd", "penstock", "systemd", "unscd", "wireguard", "xtables.lock"}

#: variables that would lead a program out of the lab, or to another resolver or bundle
_DROPPED = {"HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "SSL_CERT_DIR", "SSLKEYLOGFILE"} | {
    f"{protocol}_proxy" for protocol in ("all", "ftp", "http", "https", "no", "socks")
}


def open_private_folder(out: str | None) -> None:
    """Put a tmpfs over /run, with the host's entries bound back into it, and the run folder at OUT."""
    old = os.open("/run", os.O_PATH | os.O_DIRECTORY)
    folder = os.open(out, os.O_PATH | os.O_DIRECTORY) if out is not None else -1
    entries = {entry.name: entry for entry in os.scandir("/run")}
    links = {name: os.readlink(entry.path) for name, entry in entries.items() if entry.is_symlink()}
    mount("penstock", "/run", "tmpfs", data="mode=0755")
    for name, entry in entries.items():
        if name in _HIDDEN:
            continue
        target = Path("/run", name)
        if name in links:
            target.symlink_to(links[name])
        elif entry.is_dir(follow_symlinks=False):
            target.mkdir()
            mount(f"/proc/self/fd/{old}/{name}", str(target), "", MS_BIND | MS_REC)
    OUT.mkdir(parents=True)
    if folder >= 0:
        mount(f"/proc/self/fd/{folder}", str(OUT), "", MS_BIND | MS_REC)
        os.close(folder)
    os.close(old)


def cover(path: str, text: bytes) -> bool:
    """Let a file hold other text in the lab; False if there is no such file to cover."""
    target = os.path.realpath(path)
    if target.startswith("/run/") and not os.path.exists(target):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_bytes(text)
        return True
    if not os.path.isfile(target):
        return False
    copy = HOME / "covers" / target.strip("/").replace("/", "-")
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(text)
    copy.chmod(0o644)
    mount(str(copy), target, "", MS_BIND)
    return True


def arrange(servers: list[str], hosts: Sequence[tuple[str, str]], authority: trust.Authority) -> None:
    """Make every program of the lab ask the lab's DNS and trust the lab's authority.

    `hosts`: addresses and names of nodes; the sites are not among them, as their names are for the DNS to answer.
    """
    resolv = "".join(f"nameserver {server}\n" for server in servers)
    if not cover("/etc/resolv.conf", resolv.encode()):
        raise OSError(
            0,
            "it does not exist, so the lab cannot direct names to its own DNS; create it, even empty",
            "/etc/resolv.conf",
        )
    cover("/etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n")
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost", *(f"{address} {name}" for address, name in hosts)]
    # curl's LDAP library asks for the machine's own name at curl's end, also when the way to the DNS is a dead tunnel's
    own = os.uname().nodename
    lines += [f"127.0.0.1 {own}", f"::1 {own}"]  # behind the nodes: one of them may be called the same
    cover("/etc/hosts", ("\n".join(lines) + "\n").encode())
    bundle = trust.bundle(authority)
    BUNDLE.write_bytes(bundle)
    (HOME / "ca.pem").write_bytes(authority.pem())
    for path in trust.HOST_BUNDLES:
        cover(path, bundle)
    certifi = importlib.util.find_spec("certifi")  # the bundle that Python's HTTP libraries bring along
    if certifi is not None and certifi.submodule_search_locations:
        cover(str(Path(certifi.submodule_search_locations[0], "cacert.pem")), bundle)


def environment(callers: Mapping[str, str], path: str) -> dict[str, str]:
    """A caller's environment as the lab's commands get it; `path`: where programs are searched."""
    kept = {name: value for name, value in callers.items() if name not in _DROPPED and name.lower() not in _DROPPED}
    return kept | trust.environment(str(BUNDLE)) | {"PATH": path}
