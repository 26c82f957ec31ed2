"""A media relay for calls: `call_relay.py`, on the lab host that serves, at all of its addresses.

A program of its own; what it says and when, `testbed.calls.ends` says. It ends when it is ended.
"""

from __future__ import annotations

import random
import selectors
import socket
import struct
import time
from contextlib import suppress
from typing import Any

from testbed.calls.ends import PORT, Relay

_IP_PKTINFO = 8  #: linux/in.h; Python has it from 3.12 on
_READY = "ready"


def _socket(family: int) -> socket.socket:
    """One for all addresses, which tells where a datagram was sent to."""
    made = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        made.bind(("::", PORT))
    else:
        made.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        made.bind(("0.0.0.0", PORT))
    made.setblocking(False)
    return made


def _from(data: bytes, family: int) -> tuple[int, int, bytes]:
    """What makes an answer come from the address that was asked (ip(7), ipv6(7))."""
    if family == socket.AF_INET6:
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, data[:16] + struct.pack("=I", 0)
    _, _, asked = struct.unpack("=I4s4s", data)
    return socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=I4s4s", 0, asked, bytes(4))


def main() -> None:
    """Relay until the end."""
    relay, chooser = Relay(random.Random()), selectors.DefaultSelector()
    ways: dict[tuple[str, int], tuple[socket.socket, Any, list[tuple[int, int, bytes]]]] = {}
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            chooser.register(_socket(family), selectors.EVENT_READ)
        except OSError:
            if family == socket.AF_INET:
                raise  # a kernel may have no IPv6
    print(_READY, flush=True)
    while True:
        next_s = relay.next_s
        for key, _ in chooser.select(None if next_s is None else max(0.0, next_s - time.monotonic())):
            receiving: Any = key.fileobj
            try:
                data, extra, _, address = receiving.recvmsg(2_048, 256)
            except OSError:
                continue  # what an earlier answer met
            peer = (str(address[0]), int(address[1]))
            ways[peer] = (receiving, address, [_from(extra[0][2], receiving.family)] if extra else [])
            for answer in relay.take(data, peer, time.monotonic()):
                _send(ways[peer], answer)
        for answer, peer in relay.due(time.monotonic()):
            _send(ways[peer], answer)


def _send(way: tuple[socket.socket, Any, list[tuple[int, int, bytes]]], data: bytes) -> None:
    sending, address, source = way
    with suppress(OSError):  # a datagram that does not leave is a datagram lost
        sending.sendmsg([data], source, 0, address)


if __name__ == "__main__":
    main()
