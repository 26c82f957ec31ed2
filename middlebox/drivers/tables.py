"""Speaks with the kernel's nf_tables: loads a text by the program nft, reads counters by netlink.

It knows no table of ours. Counters are read without the program, as they are asked for while packets wait.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator

from middlebox.drivers.attach import FOLDERS, attributes

#: seconds for one run of nft, on a busy machine
_PATIENCE_S = 30.0

# linux/netfilter/nfnetlink.h and nf_tables.h
_NETLINK_NETFILTER = 12
_GET_OBJECTS = (10 << 8) | 19
_OBJECT = (10 << 8) | 18
_DUMP = 0x301
_ERROR, _DONE = 2, 3
_TABLE, _NAME, _TYPE, _DATA = 1, 2, 3, 4
_COUNTER = 1
_BYTES, _PACKETS = 1, 2
_INET = 1  # NFPROTO_INET
_HEADER = struct.Struct("=IHHII")


class TableError(Exception):
    """The kernel, or this machine, will not have the table; the message is one line."""


def nft() -> str:
    """The path of the program; raises TableError."""
    path = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:{FOLDERS}")
    if path is None:
        raise TableError("the program 'nft' is missing; on Debian: apt-get install nftables")
    return path


def load(text: str) -> None:
    """Load a text in one transaction: all of it or nothing. Raises TableError with nft's first line."""
    _run(["-f", "-"], text)


def tables() -> list[str]:
    """The names of the namespace's tables of family inet. Raises TableError."""
    return [line.split()[2] for line in _run(["list", "tables", "inet"]).splitlines() if line.startswith("table inet")]


def _run(words: list[str], text: str = "") -> str:
    try:
        done = subprocess.run(
            [nft(), *words], input=text, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TableError(f"nft could not be run: {error}") from error
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise TableError(" ".join(said[:2]) or f"nft ended with {done.returncode}")
    return done.stdout


def counters(table: str) -> dict[str, tuple[int, int]]:
    """Name -> packets and bytes, of each counter of an inet table; some 50 us. Raises OSError."""
    counts: dict[str, tuple[int, int]] = {}
    name = table.encode() + b"\0"
    body = struct.pack("!BBH", _INET, 0, 0) + attribute(_TABLE, name) + attribute(_TYPE, struct.pack("!I", _COUNTER))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as asked:
        asked.bind((0, 0))
        asked.send(_HEADER.pack(_HEADER.size + len(body), _GET_OBJECTS, _DUMP, 1, 0) + body)
        for kind, said in _messages(asked):
            if kind == _OBJECT:
                found = dict(attributes(said[4:]))
                inner = dict(attributes(found.get(_DATA, b"")))
                packets, size = (int.from_bytes(inner.get(one, b""), "big") for one in (_PACKETS, _BYTES))
                counts[found.get(_NAME, b"").rstrip(b"\0").decode()] = (packets, size)
    return counts


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute, padded (netlink(7))."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _messages(asked: socket.socket) -> Iterator[tuple[int, bytes]]:
    """The messages of a dump, each with its kind."""
    while True:
        heard = asked.recv(1 << 18)
        at = 0
        while at + _HEADER.size <= len(heard):
            length, kind, _, _, _ = _HEADER.unpack_from(heard, at)
            if kind == _DONE:
                return
            if kind == _ERROR:
                number = -int.from_bytes(heard[at + 16 : at + 20], "little", signed=True)
                raise OSError(number, f"counters cannot be read: {os.strerror(number)}")
            yield kind, heard[at + _HEADER.size : at + length]
            at += (length + 3) & ~3
