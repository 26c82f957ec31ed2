"""Sends IPv4 packets whose identification is 0 although they may be fragmented, as some real injectors do.

A raw socket cannot: the kernel puts a number of its own in place of the 0 (raw(7)). So the packet leaves by a raw
socket that marks it, a rule hands it back by a second queue before it is routed on, and there it gets its own bytes
again. That costs some 30 us, and it is done with when `send` returns. Other packets take the shorter way in `send`.
"""

from __future__ import annotations

import errno
import socket

from netfilterqueue import Packet

from middlebox.drivers.nfnetlink import KernelQueue

#: the firewall mark of these packets, of a box's first worker; any number that the lab does not use
MARK = 0x70656E


def has_no_number(packet: bytes) -> bool:
    """True if the kernel would put its own identification into this IPv4 packet."""
    return not (packet[4] or packet[5] or packet[6] & 0x40)


class Unnumbered:
    """`sending`: a raw IPv4 socket of its own, which gets the mark. Raises AttachError without its queue."""

    def __init__(self, queue: int, sending: socket.socket, mark: int = MARK) -> None:
        self._wanted: bytes | None = None
        self._sending = sending
        self._sending.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        self._queue = KernelQueue(queue, self._restore, fail_open=False)

    def send(self, packet: bytes) -> None:
        """Send one packet to its own destination; raises OSError if it could not be."""
        self._wanted = packet
        try:
            self._sending.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
            self._queue.read(1)
            if self._wanted is not None:
                raise OSError(errno.ECOMM, "the packet did not come back from the OUTPUT hook to get its own bytes")
        finally:
            self._wanted = None

    def _restore(self, packet: Packet) -> None:
        wanted = self._wanted
        if wanted is not None and packet.get_payload()[12:] == wanted[12:]:
            packet.set_payload(wanted)
            self._wanted = None
        packet.accept()

    def close(self) -> None:
        self._queue.close()
        self._sending.close()
