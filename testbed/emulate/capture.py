"""Write what passes an interface to a pcap file, as root or in a user namespace, where tcpdump cannot run.

(tcpdump calls setgroups when it starts as root, which a user namespace forbids.) Writes the packets as they are, with
the kernel's times in nanoseconds; filters nothing and prints nothing about them.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
from types import FrameType

# linux/if_packet.h
_SOL_PACKET = 263
_RX_RING, _STATISTICS, _VERSION, _V2 = 5, 6, 10, 1
_ETH_P_ALL = 3
_USER = 1  # TP_STATUS_USER: the frame is ours to read
_FRAME = struct.Struct("=IIIHHII")  # tpacket2_hdr: status, length, captured, mac, net, seconds, nanoseconds

_FRAME_BYTES = 2048  #: a packet of 1,514 bytes with the kernel's head; longer ones, from offloads, are cut
_BLOCK_BYTES = 1 << 20
_BLOCKS = 16
#: frames are collected for this long at a time: one wake-up for each packet would cost more than the packets
_COLLECT_S = 0.002

#: pcap with nanoseconds, Ethernet (draft-ietf-opsawg-pcap)
_FILE_HEAD = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, 1)
_RECORD = struct.Struct("=IIII")


class Capture:
    """One interface of this process's network namespace, and one open file."""

    def __init__(self, interface: str, file: int) -> None:
        self._file = file
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # 0: nothing until it is bound
        self._socket.setsockopt(_SOL_PACKET, _VERSION, _V2)
        frames = _BLOCKS * _BLOCK_BYTES // _FRAME_BYTES
        request = struct.pack("=IIII", _BLOCK_BYTES, _BLOCKS, _FRAME_BYTES, frames)
        self._socket.setsockopt(_SOL_PACKET, _RX_RING, request)
        self._ring = mmap.mmap(self._socket.fileno(), _BLOCKS * _BLOCK_BYTES)
        self._next = 0
        self.packets = 0
        os.write(file, _FILE_HEAD)
        self._socket.bind((interface, _ETH_P_ALL))

    def wait(self, timeout: float) -> None:
        """Wait until there is a packet."""
        select.select([self._socket], [], [], timeout)

    def drain(self) -> None:
        """Write all packets that are there."""
        parts: list[bytes] = []
        ring, place = self._ring, self._next
        while True:
            status, length, captured, mac, _, seconds, nanoseconds = _FRAME.unpack_from(ring, place)
            if not status & _USER:
                break
            parts.append(_RECORD.pack(seconds, nanoseconds, captured, length))
            parts.append(ring[place + mac : place + mac + captured])
            ring[place : place + 4] = b"\0\0\0\0"  # TP_STATUS_KERNEL: the frame is the kernel's again
            place = (place + _FRAME_BYTES) % (_BLOCKS * _BLOCK_BYTES)
        self._next = place
        self.packets += len(parts) // 2
        what = memoryview(b"".join(parts))
        while what:
            what = what[os.write(self._file, what) :]

    def lost(self) -> int:
        """Packets that came too fast since this was last asked."""
        dropped: int = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8))[1]
        return dropped


def main(words: list[str]) -> int:
    """`INTERFACE FILE`: capture until SIGTERM."""
    ended = False

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal ended
        ended = True

    file = os.open(words[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    capture = Capture(words[0], file)
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while not ended:
        capture.wait(0.5)
        time.sleep(_COLLECT_S)
        capture.drain()
    capture.drain()
    print(f"{capture.packets} packets captured, {capture.lost()} lost", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
