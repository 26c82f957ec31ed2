"""The delay line: delay, jitter and loss for kernels without netem, by holding packets in their netfilter queues.

One process for the whole lab. It never sees a packet's bytes (the kernel keeps them), changes none, and does no
rates: those are TBF's. Packets keep their order unless the link asks for reordering.
"""

from __future__ import annotations

import errno
import heapq
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from pathlib import Path
from types import FrameType

from testbed.emulate.kernel import CLONE_NEWNET, precise_timers, set_namespace

# linux/netfilter/nfnetlink_queue.h
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python does not name it
_NETLINK_NETFILTER = 12
_SOL_NETLINK, _NETLINK_NO_ENOBUFS = 270, 5
_PACKET, _VERDICT, _CONFIG, _VERDICT_BATCH = 0x300, 0x301, 0x302, 0x303
_CFG_CMD, _CFG_PARAMS, _CFG_MAXLEN, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_BIND, _COPY_META, _FLAG_GSO = 1, 1, 4
_VERDICT_HDR = 2
_DROP, _ACCEPT = 0, 1
_REQUEST, _ACK, _ERROR = 1, 4, 2

_HEAD = struct.Struct("=IHHIIBBH")  # nlmsghdr and nfgenmsg; the last field, big-endian, is the queue
_VERDICT_MESSAGE = struct.Struct("=IHHIIBBHHHII")
_ID = struct.Struct("!I")
#: offset of the packet's id: the first attribute of a packet message is its header
_ID_AT = 24

#: packets that may be under way on one link
_MAX_UNDER_WAY = 50_000
#: one socket holds this much of what the kernel has said; without root the kernel may grant less
_BUFFER = 8 << 20
#: packets read from one socket before due ones are let go
_AT_ONCE = 64
#: how late packets left: the newest are remembered
_REMEMBERED = 20_000
_REPORT_EVERY_NS = 500_000_000


class _Delaying:
    """One direction of a link."""

    __slots__ = (
        *("chance", "delay", "heap", "jitter", "last", "loss"),
        *("lost", "name", "number", "overflowed", "packets", "reorder"),
    )

    def __init__(self, number: int, name: str, way: dict[str, float], seed: str) -> None:
        self.number = number
        self.name = name
        self.delay = round(way["delay"] * 1e9)
        self.jitter = round(way["jitter"] * 1e9)
        self.loss = way["loss"]
        self.reorder = bool(way["reorder"])
        self.chance = random.Random(f"{seed}/{name}")
        self.heap: list[tuple[int, int]] = []  #: (when to let go, packet id)
        self.last = 0
        self.packets = 0
        self.lost = 0
        self.overflowed = 0  #: packets that came too fast for this process; the kernel dropped them

    def due(self, now: int) -> int | None:
        """When a packet that comes now goes on, or None if it is lost."""
        self.packets += 1
        if self.loss and self.chance.random() < self.loss:
            self.lost += 1
            return None
        when = now + self.delay
        if self.jitter:
            when += round(self.jitter * (2 * self.chance.random() - 1))
            if not self.reorder:
                when = max(when, self.last)
                self.last = when
        return when


def _message(kind: int, queue: int, attributes: bytes, flags: int = _REQUEST) -> bytes:
    return _HEAD.pack(_HEAD.size + len(attributes), kind, flags, 0, 0, 0, 0, socket.htons(queue)) + attributes


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _verdict(kind: int, queue: int, packet: int, what: int) -> bytes:
    return _VERDICT_MESSAGE.pack(
        _VERDICT_MESSAGE.size, kind, _REQUEST, 0, 0, 0, 0, socket.htons(queue), 12, _VERDICT_HDR,
        socket.htonl(what), socket.htonl(packet),
    )  # fmt: skip


def open_queues(numbers: list[int]) -> socket.socket:
    """Bind netfilter queues of this process's network namespace; raises OSError."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    netlink.bind((0, 0))
    try:
        netlink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except OSError:
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    netlink.setsockopt(_SOL_NETLINK, _NETLINK_NO_ENOBUFS, 1)
    for number in numbers:
        for attributes in (
            _attribute(_CFG_CMD, struct.pack("!BBH", _BIND, 0, 0)),
            _attribute(_CFG_PARAMS, struct.pack("!IB", 0, _COPY_META))
            + _attribute(_CFG_MAXLEN, struct.pack("!I", _MAX_UNDER_WAY))
            + _attribute(_CFG_MASK, struct.pack("!I", _FLAG_GSO))
            + _attribute(_CFG_FLAGS, struct.pack("!I", _FLAG_GSO)),
        ):
            netlink.send(_message(_CONFIG, number, attributes, _REQUEST | _ACK))
            answer = netlink.recv(4096)
            while struct.unpack_from("=H", answer, 4)[0] != _ERROR:  # a packet may come before the answer
                answer = netlink.recv(4096)
            code = -struct.unpack_from("=i", answer, 16)[0]
            if code:
                raise OSError(code, f"netfilter queue {number}: {os.strerror(code)}")
    netlink.setblocking(False)
    return netlink


class DelayLine:
    """All delayed links of the lab."""

    def __init__(self, report: Path) -> None:
        self._queues: dict[int, tuple[_Delaying, socket.socket]] = {}
        self._sockets: list[socket.socket] = []
        self._namespaces: list[int] = []
        self._late: deque[int] = deque(maxlen=_REMEMBERED)
        self._report = report
        self._report_at = 0

    def add(self, namespace: int, ways: list[_Delaying]) -> None:
        """Hold the packets of a node's ways; `namespace`: its network, an open file."""
        set_namespace(namespace, CLONE_NEWNET)
        netlink = open_queues([way.number for way in ways])
        self._namespaces.append(namespace)
        self._sockets.append(netlink)
        for way in ways:
            self._queues[socket.htons(way.number)] = (way, netlink)

    def turn(self) -> None:
        """Wait for the next thing to do, and do it."""
        nexts = [way.heap[0][0] for way, _ in self._queues.values() if way.heap]
        timeout = max(0, min(nexts) - time.monotonic_ns()) / 1e9 if nexts else 0.5
        ready, _, _ = select.select(self._sockets, [], [], min(timeout, 0.5))
        for netlink in ready:
            self._read(netlink)
        now = time.monotonic_ns()
        for way, netlink in self._queues.values():
            if way.heap and way.heap[0][0] <= now:
                self._let_go(way, netlink, now)
        if now >= self._report_at:
            self._report_at = now + _REPORT_EVERY_NS
            self.report()

    def _read(self, netlink: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                message = netlink.recv(4096)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                continue
            if struct.unpack_from("=H", message, 4)[0] != _PACKET:
                continue
            (packet,) = _ID.unpack_from(message, _ID_AT)
            way, _ = self._queues[struct.unpack_from("=H", message, 18)[0]]
            when = way.due(time.monotonic_ns())
            if when is None:
                self._send(netlink, _verdict(_VERDICT, way.number, packet, _DROP))
            else:
                heapq.heappush(way.heap, (when, packet))

    def _let_go(self, way: _Delaying, netlink: socket.socket, now: int) -> None:
        heap, packet = way.heap, -1
        while heap and heap[0][0] <= now:
            when, packet = heapq.heappop(heap)
            self._late.append(now - when)
            if way.reorder:
                self._send(netlink, _verdict(_VERDICT, way.number, packet, _ACCEPT))
        if not way.reorder:  # one word lets go all packets up to this one; lost ones are gone already
            self._send(netlink, _verdict(_VERDICT_BATCH, way.number, packet, _ACCEPT))

    @staticmethod
    def _send(netlink: socket.socket, message: bytes) -> None:
        try:
            netlink.send(message)
        except OSError as error:
            if error.errno != errno.ENOENT:  # the packet is gone: its interface went down
                raise

    def _count_overflow(self) -> None:
        """Ask each node's kernel what it dropped: the columns of /proc/net/netfilter/nfnetlink_queue."""
        for namespace in self._namespaces:
            set_namespace(namespace, CLONE_NEWNET)
            for line in Path("/proc/thread-self/net/netfilter/nfnetlink_queue").read_text().splitlines():
                number, _, _, _, _, full, unsent, *_ = map(int, line.split())
                if socket.htons(number) in self._queues:
                    self._queues[socket.htons(number)][0].overflowed = full + unsent

    def report(self) -> None:
        """Write what was done: packets and losses of each link, how late packets left."""
        self._count_overflow()
        late = sorted(self._late)
        links = {
            way.name: {"packets": way.packets, "lost": way.lost, "overflowed": way.overflowed}
            for way, _ in self._queues.values()
        }
        figures = {
            "late_p50_s": late[len(late) // 2] / 1e9 if late else None,
            "late_p99_s": late[len(late) * 99 // 100] / 1e9 if late else None,
            "links": links,
        }
        fresh = self._report.with_suffix(".new")
        fresh.write_text(json.dumps(figures) + "\n")
        fresh.replace(self._report)


def main() -> int:
    """Read what to do from standard input (`holder` writes it), say `ready`, delay until SIGTERM."""
    told = json.load(sys.stdin)
    line = DelayLine(Path(told["report"]))

    def stop(_number: int, _frame: FrameType | None) -> None:
        line.report()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    precise_timers()
    for node in told["nodes"]:
        ways = [_Delaying(way["queue"], way["name"], way["way"], told["seed"]) for way in node["ways"]]
        line.add(node["namespace"], ways)
    print("ready", flush=True)
    while True:
        line.turn()


if __name__ == "__main__":
    sys.exit(main())
