"""What the kernel of a server knows of its TCP connections with one peer: round trips and retransmissions.

A program of its own, run on a lab host: `tcp_witness.py PEER FAMILY INTERVAL`. It asks the kernel at intervals by
sock_diag(7) until it gets SIGTERM, and then prints one line of JSON. It sees no content, and sends nothing.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys
import time
from typing import Any

_DIAG_BY_FAMILY = 20  #: SOCK_DIAG_BY_FAMILY
_DUMP = 0x301  #: NLM_F_REQUEST | NLM_F_DUMP
_DONE, _ERROR = 3, 2
_INFO = 2  #: INET_DIAG_INFO
#: ESTABLISHED, FIN-WAIT-1 and -2, CLOSE-WAIT, LAST-ACK, CLOSING
_STATES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11
_RTT, _RETRANSMITTED, _ACKED, _MIN_RTT, _DATA_SEGMENTS, _DELIVERED = 68, 100, 120, 148, 156, 192


def connections(asking: socket.socket, family: int) -> list[tuple[bytes, int, bytes]]:
    """Peer's packed address, peer's port and `struct tcp_info` of each connection of this network namespace."""
    body = struct.pack("=BBBBI48s", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _STATES, bytes(48))
    asking.send(struct.pack("=IHHII", 16 + len(body), _DIAG_BY_FAMILY, _DUMP, 1, 0) + body)
    found: list[tuple[bytes, int, bytes]] = []
    size = 16 if family == socket.AF_INET6 else 4
    while True:
        data = asking.recv(1 << 18)
        while len(data) >= 16:
            length, kind = struct.unpack_from("=IH", data)
            if kind in (_DONE, _ERROR):
                return found
            message, data = data[16:length], data[(length + 3) & ~3 :]
            port = struct.unpack_from("!H", message, 6)[0]
            peer = message[24 : 24 + size]  # behind the family's four bytes, two ports and our own address
            attributes = message[72:]
            while len(attributes) >= 4:
                long, what = struct.unpack_from("=HH", attributes)
                if what == _INFO:
                    found.append((peer, port, attributes[4:long]))
                attributes = attributes[max(4, (long + 3) & ~3) :]


def main(peer: str, family: str, interval: str) -> int:
    wanted = socket.inet_pton(socket.AF_INET6 if family == "6" else socket.AF_INET, peer)
    kind = socket.AF_INET6 if family == "6" else socket.AF_INET
    asking = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4)  # NETLINK_SOCK_DIAG
    wake, awoken = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.write(awoken, b"x"))
    seen: dict[int, dict[str, Any]] = {}
    while True:
        now = round(time.monotonic(), 4)
        for address, port, info in connections(asking, kind):
            if address != wanted or len(info) < _DELIVERED + 4:
                continue
            trip, again, least, segments, delivered = (
                int(struct.unpack_from("=I", info, where)[0])
                for where in (_RTT, _RETRANSMITTED, _MIN_RTT, _DATA_SEGMENTS, _DELIVERED)
            )
            acked = int(struct.unpack_from("=Q", info, _ACKED)[0])
            one = seen.setdefault(port, {"port": port, "samples": []})
            one.update(retransmitted=again, data_segments=segments, acked=acked, min_rtt_us=least)
            one["samples"].append([now, trip, delivered])
        if select.select([wake], [], [], float(interval))[0]:
            break
    print(json.dumps(list(seen.values())), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
