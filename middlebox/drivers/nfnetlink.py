"""The kernel's side of the queue: opens it, sets what the NetfilterQueue package does not, and counts what it loses.

It hands packets to a callback and knows nothing of censors.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

from netfilterqueue import NetfilterQueue, Packet

from middlebox.drivers.attach import AttachError

#: packets that may wait for a verdict in the kernel, held ones among them: twice what the engine may hold at once
MAX_WAITING = 131_072
#: bytes of packets on their way to this process; at 10 us each about 60 ms of work, more would only add delay
RECEIVE_BUFFER = 16 << 20
#: packets handled before the loop looks at its timers and its control connections again
BATCH = 64
#: bytes of a packet that reach us: what NetfilterQueue 1.1.0 has room for. Longer ones are judged by their beginning
MAX_COPY = 4_016
_BUFFER = 4_096

_PROC = Path("/proc/net/netfilter/nfnetlink_queue")

# linux/netfilter/nfnetlink.h and nfnetlink_queue.h
_NFQNL_MSG_CONFIG = (3 << 8) | 2
_NFQA_CFG_MASK = 4
_NFQA_CFG_FLAGS = 5
_F_FAIL_OPEN = 1
_NLM_F_REQUEST_ACK = 0x5
_NLMSG_ERROR = 2
_SO_RCVBUFFORCE = 33  # socket(7)
_SO_TIMESTAMPNS = 35


class KernelQueue:
    """One queue of this namespace; raises AttachError if it cannot be had."""

    def __init__(self, number: int, take: Callable[[Packet], None], *, fail_open: bool) -> None:
        self.number = number
        self._queue = NetfilterQueue()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # a small receive buffer is reported by `facts`
                self._queue.bind(number, take, max_len=MAX_WAITING, sock_len=RECEIVE_BUFFER)
        except OSError as error:
            raise AttachError(
                f"queue {number} cannot be opened ({error}): either another process of this namespace listens on it "
                "(take another by --queue), or this process may not (it needs CAP_NET_ADMIN here)"
            ) from error
        self._socket = _Reader(self._queue.get_fd())
        with contextlib.suppress(PermissionError):  # not allowed in a user namespace: then rmem_max bounds it
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.passes_when_full = fail_open and self._pass_when_full()
        #: while any socket asks for receive times, the kernel notes them for all packets: when they came to the box
        self._clocked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._clocked.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def overruns(self) -> int:
        """Times that the kernel said that packets were lost on their way to this process (ENOBUFS)."""
        return self._socket.overruns

    def read(self, most: int = BATCH) -> int:
        """Hand the waiting packets to the callback, `most` of them; how many there were."""
        self._socket.left = most
        self._queue.run_socket(self._socket)
        return most - self._socket.left

    def lost(self) -> tuple[int, int]:
        """Packets that the kernel dropped: for lack of room in the queue; on their way to this process."""
        with contextlib.suppress(OSError):
            for said in _PROC.read_text().splitlines():
                columns = said.split()
                if int(columns[0]) == self.number:
                    return int(columns[5]), int(columns[6])
        return 0, self.overruns  # a kernel without this file: at least one packet each time

    def facts(self) -> dict[str, int | bool]:
        return {
            "queue": self.number,
            "receive_buffer": self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF),
            "passes_when_full": self.passes_when_full,
        }

    def close(self) -> None:
        """Stop listening; the kernel drops what still waits for a verdict."""
        self._queue.unbind()
        self._socket.close()
        self._clocked.close()

    def _pass_when_full(self) -> bool:
        """Ask the kernel to let packets pass that find no room; False if it will not (before Linux 3.6)."""
        flag = struct.pack("!I", _F_FAIL_OPEN)
        body = struct.pack("!BBH", 0, 0, self.number)
        body += struct.pack("=HH", 8, _NFQA_CFG_FLAGS) + flag + struct.pack("=HH", 8, _NFQA_CFG_MASK) + flag
        head = struct.pack("=IHHII", 16 + len(body), _NFQNL_MSG_CONFIG, _NLM_F_REQUEST_ACK, 0, 0)
        self._socket.sendto(head + body, (0, 0))
        self._socket.left = 1
        answer = self._socket.recv(_BUFFER)  # no rule leads packets here yet: this is the answer
        _, kind, _, _, _, error = struct.unpack_from("=IHHIIi", answer)
        return bool(kind == _NLMSG_ERROR and error == 0)


class _Reader(socket.socket):
    """The queue's socket once more, which stops after a batch, so that timers get their turn, and counts overruns."""

    __slots__ = ("left", "overruns")

    def __init__(self, queue: int) -> None:
        super().__init__(fileno=os.dup(queue))
        self.left = 0
        self.overruns = 0

    def recv(self, _size: int, _flags: int = 0, /) -> bytes:
        if self.left <= 0:
            raise BlockingIOError(errno.EAGAIN, "the batch is full")
        try:
            heard = super().recv(_BUFFER, socket.MSG_DONTWAIT)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                self.overruns += 1
            raise
        self.left -= 1
        return heard
