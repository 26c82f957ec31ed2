"""Speaks with the kernel's connection tracking: takes marks from flows, forgets flows, sets what it believes.

One raw netlink socket (ctnetlink) and the files of /proc/sys/net/netfilter. Which flows have a mark is not known here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from middlebox.ability import SECOND, Ability
from middlebox.drivers.attach import attributes
from middlebox.drivers.tables import attribute

# linux/netfilter/nfnetlink_conntrack.h
_NETLINK_NETFILTER = 12
_NEW, _GET, _DELETE = ((1 << 8) | kind for kind in (0, 1, 2))
_TUPLE_ORIG, _MARK, _MARK_MASK = 1, 8, 21
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_PROTO_NUMBER, _SRC_PORT, _DST_PORT = 1, 2, 3
_NESTED = 0x8000
_NLM_F_REQUEST, _NLM_F_ACK = 1, 4
_ERROR = 2
_HEADER = struct.Struct("=IHHII")
#: messages in one call of the kernel: 10 kB
_BATCH = 100

_SETTINGS = Path("/proc/sys/net/netfilter")
#: entries of flows that are over, which nobody will ask for: the table must not fill with them
_OVER_S = 10
_OVER = ("tcp_timeout_close", "tcp_timeout_time_wait", "tcp_timeout_last_ack")
#: how long silent flows are kept by their state; a shorter default stays, as who is forgotten is only asked about again
_ALIVE = ("tcp_timeout_established", "udp_timeout", "udp_timeout_stream", "generic_timeout")
_AT_MOST = (
    *("tcp_timeout_fin_wait", "tcp_timeout_close_wait", "tcp_timeout_max_retrans", "tcp_timeout_unacknowledged"),
    *("tcp_timeout_syn_sent", "tcp_timeout_syn_recv"),
)


class Tuple(NamedTuple):
    """A flow of TCP or UDP by its ends, one of them first."""

    proto: int
    src: bytes
    src_port: int
    dst: bytes
    dst_port: int

    @property
    def attribute(self) -> bytes:
        six = 2 if len(self.src) == 16 else 0
        ends = attribute(1 + six, self.src) + attribute(2 + six, self.dst)
        ports = struct.pack("!HH", self.src_port, self.dst_port)
        transport = attribute(_PROTO_NUMBER, bytes([self.proto]))
        transport += attribute(_SRC_PORT, ports[:2]) + attribute(_DST_PORT, ports[2:])
        both = attribute(_TUPLE_IP | _NESTED, ends) + attribute(_TUPLE_PROTO | _NESTED, transport)
        return attribute(_TUPLE_ORIG | _NESTED, both)

    @property
    def family(self) -> int:
        return socket.AF_INET6 if len(self.src) == 16 else socket.AF_INET


class Conntrack:
    """The connection tracking of this namespace. Raises OSError where the kernel has no ctnetlink."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        try:
            self._socket.bind((0, 0))
            self.first_source(Tuple(socket.IPPROTO_UDP, bytes(4), 0, bytes(4), 0))
        except OSError:
            self._socket.close()
            raise

    def unmark(self, flows: Iterable[Tuple], mask: int) -> None:
        """Take the bits of `mask` from the marks of flows; those that are gone are none the worse for it."""
        tail = attribute(_MARK, bytes(4)) + attribute(_MARK_MASK, struct.pack("!I", mask))
        waiting: list[bytes] = []
        for flow in flows:
            waiting.append(_message(_NEW, _NLM_F_REQUEST, flow.family, flow.attribute + tail))
            if len(waiting) == _BATCH:
                self._send(waiting)
        self._send(waiting)

    def first_source(self, flow: Tuple) -> tuple[bytes, int] | None:
        """Who sent the first packet of a flow, as the kernel has it: address and port; None: it does not know it.

        A flow is not known before its first packet has left this host.
        """
        self._socket.send(_message(_GET, _NLM_F_REQUEST, flow.family, flow.attribute))
        heard = self._socket.recv(1 << 14)
        kind = _HEADER.unpack_from(heard)[1]
        if kind == _ERROR:
            number = -int.from_bytes(heard[16:20], "little", signed=True)
            if number == errno.ENOENT:
                return None
            raise OSError(number, f"connection tracking does not answer: {os.strerror(number)}")
        original = _inside(heard[_HEADER.size + 4 :], _TUPLE_ORIG)
        ends, transport = _inside(original, _TUPLE_IP), _inside(original, _TUPLE_PROTO)
        address = dict(attributes(ends))
        return address.get(1) or address[3], int.from_bytes(_inside(transport, _SRC_PORT), "big")

    def forget_all(self) -> None:
        """Forget every flow, its mark with it. Raises OSError."""
        self._socket.send(_message(_DELETE, _NLM_F_REQUEST | _NLM_F_ACK, socket.AF_UNSPEC, b""))
        heard = self._socket.recv(1 << 14)
        number = -int.from_bytes(heard[16:20], "little", signed=True)
        if number:
            raise OSError(number, f"connection tracking does not forget: {os.strerror(number)}")

    def close(self) -> None:
        self._socket.close()

    def _send(self, waiting: list[bytes]) -> None:
        """Have messages carried out: the kernel is through with them when `send` returns, and tells errors alone."""
        if waiting:
            self._socket.send(b"".join(waiting))
            waiting.clear()
            with contextlib.suppress(BlockingIOError):
                while True:  # flows that are gone
                    self._socket.recv(1 << 16, socket.MSG_DONTWAIT)


def _message(kind: int, flags: int, family: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + 4 + len(body), kind, flags, 0, 0) + struct.pack("!BBH", family, 0, 0) + body


def _inside(data: bytes, wanted: int) -> bytes:
    return next((value for kind, value in attributes(data) if kind == wanted), b"")


class Settings:
    """What connection tracking believes and how long it remembers: as the box's ability has it.

    The kernel must not forget later than the engine, must not take for invalid what the engine believes, and must not
    believe what the engine does not. What cannot be set stays as it is, and `facts` say so.
    """

    def __init__(self, ability: Ability, folder: Path = _SETTINGS) -> None:
        self._folder = folder
        self._before: dict[str, str] = {}
        idle = max(1, ability.tcp.idle_ns // SECOND)
        self._wanted = {"checksum": int(ability.verify_checksums), "tcp_be_liberal": 1, "tcp_loose": 1}
        self._wanted |= dict.fromkeys(_ALIVE, idle)
        self._wanted |= dict.fromkeys(_OVER, min(idle, _OVER_S))
        for name in _AT_MOST:
            with contextlib.suppress(OSError, ValueError):
                self._wanted[name] = min(idle, int(self._read(name)))

    def _path(self, name: str) -> Path:
        return self._folder / f"nf_conntrack_{name}"

    def _read(self, name: str) -> str:
        return self._path(name).read_text().strip()

    def apply(self) -> dict[str, int | str]:
        """Set them; what each is now, read back, or why not."""
        now: dict[str, int | str] = {}
        for name, value in self._wanted.items():
            try:
                before = self._read(name)
                self._path(name).write_text(str(value))
                self._before.setdefault(name, before)
                now[name] = int(self._read(name))
            except OSError as error:
                now[name] = error.strerror or str(error)
        return now

    def restore(self) -> None:
        """Leave them as they were found."""
        for name, value in self._before.items():
            with contextlib.suppress(OSError):
                self._path(name).write_text(value)
        self._before.clear()
