"""Sends packets that the censor made up, whole from their IP header on, by raw sockets.

They follow the routing table and meet the OUTPUT and POSTROUTING hooks like any packet of this host, so a link's
delay applies to them; the FORWARD hook, where the queue is, does not see them. Nothing is built or changed here; the
kernel writes the IPv4 header's checksum itself (raw(7)).
"""

from __future__ import annotations

import contextlib
import errno
import socket
import sys

from middlebox.drivers.unnumbered import MARK, Unnumbered, has_no_number

#: linux/in6.h, since Linux 4.5: the sender writes the IPv6 header
_IPV6_HDRINCL = 36
#: bytes waiting to be sent: a few thousand forged segments, for a slow link behind the box
_SEND_BUFFER = 4 << 20
#: socket(7), from asm-generic/socket.h: the buffer may pass net.core.wmem_max if the system's administrator asks
_SO_SNDBUFFORCE = 32


class Sender:
    """Raw sockets for both IP versions; never blocks. `queue`: one that is free, for packets with no number, which get
    `mark`.

    Raises OSError (PermissionError without CAP_NET_RAW) and AttachError.
    """

    __slots__ = ("_four", "_six", "_unnumbered", "failed", "reasons", "sent")

    def __init__(self, queue: int, mark: int = MARK) -> None:
        self.sent = 0
        self.failed = 0
        self.reasons: dict[str, int] = {}  #: why packets could not be sent (the kernel's word) -> how many
        self._four = _open(socket.AF_INET, socket.IPPROTO_IP, socket.IP_HDRINCL)
        self._unnumbered = Unnumbered(queue, _open(socket.AF_INET, socket.IPPROTO_IP, socket.IP_HDRINCL), mark)
        self._six = _open(socket.AF_INET6, socket.IPPROTO_IPV6, _IPV6_HDRINCL) if socket.has_ipv6 else None

    def send(self, packet: bytes) -> bool:
        """Send one packet to its own destination; False if the kernel would not, which is counted and said once."""
        try:
            if packet[0] >> 4 == 4:
                if has_no_number(packet):
                    self._unnumbered.send(packet)
                else:
                    self._four.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
            elif self._six is not None:
                self._six.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))
            else:
                raise OSError(errno.EAFNOSUPPORT, "this kernel has no IPv6")
        except (OSError, IndexError, ValueError) as error:
            self._fail(error)
            return False
        self.sent += 1
        return True

    def _fail(self, error: Exception) -> None:
        self.failed += 1
        number = error.errno if isinstance(error, OSError) else None
        reason = errno.errorcode.get(number, str(number)) if number is not None else "not an IP packet"
        if reason not in self.reasons:
            print(f"an injected packet could not be sent: {error}; more of these are only counted", file=sys.stderr)
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def close(self) -> None:
        self._four.close()
        self._unnumbered.close()
        if self._six is not None:
            self._six.close()


def _open(family: int, level: int, option: int) -> socket.socket:
    """Open one raw socket."""
    opened = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    opened.setsockopt(level, option, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    with contextlib.suppress(PermissionError):  # not allowed in a user namespace: then wmem_max bounds it
        opened.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER)
    opened.setblocking(False)
    return opened
