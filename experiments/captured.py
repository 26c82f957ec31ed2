"""What the captures of a run tell of each attempt: how long handshakes took, and what was forged.

It reads `client.pcap`, on the client's own side: what a client's program needs to start is not in these times, and what
never reached it is not in these packets.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from middlebox.drivers.capture import read_packets
from middlebox.packet import ACK, RST, SYN, TCP, UDP, PacketView, view
from testbed.simulate.names import read_reply

_MASK = 0xFFFF_FFFF
_DNS = 53


@dataclass(slots=True)
class Flow:
    """One TCP connection as its client saw it; times in nanoseconds, None for what never came."""

    asked_ns: int | None = None  #: the first SYN
    connected_ns: int | None = None  #: the SYN+ACK
    greeted_ns: int | None = None  #: the first segment of the hello
    answered_ns: int | None = None  #: the first content from the server
    begins: int | None = None  #: the server's first sequence number
    #: resets that came: flags, distance from the server's first number, bytes of content
    resets: list[tuple[int, int | None, int]] = field(default_factory=list)

    @property
    def tcp_s(self) -> float | None:
        """From the SYN to the SYN+ACK."""
        return _between(self.asked_ns, self.connected_ns)

    @property
    def tls_s(self) -> float | None:
        """From the hello to the server's answer."""
        return _between(self.greeted_ns, self.answered_ns)


@dataclass(slots=True)
class Captured:
    """All that a client's capture tells."""

    flows: dict[str, Flow] = field(default_factory=lambda: defaultdict(Flow))  #: by the client's address
    #: name -> the answers to each question for it, in their order: code and number of addresses
    answers: dict[str, list[tuple[tuple[str, int], ...]]] = field(default_factory=dict)


def read(path: Path, clients: set[str]) -> Captured:
    """Read a capture; `clients`: the addresses that attempts came from, one connection each."""
    found = Captured()
    replies: dict[tuple[str, int, int], list[tuple[str, int]]] = defaultdict(list)
    for packet in read_packets(path):
        seen = view(packet.ip) if packet.ip is not None else None
        if seen is None:
            continue
        if seen.proto == TCP:
            _segment(found, clients, seen, packet.t_ns)
        elif seen.proto == UDP and seen.src_port == _DNS:
            reply = read_reply(bytes(seen.payload))
            if reply is not None:
                replies[reply.name, seen.dst_port, reply.ident].append((reply.code, len(reply.addresses)))
    for (name, _, _), each in replies.items():
        found.answers.setdefault(name, []).append(tuple(each))
    return found


def _segment(found: Captured, clients: set[str], seen: PacketView, t_ns: int) -> None:
    source, target = str(ip_address(seen.src)), str(ip_address(seen.dst))
    content = len(seen.payload)
    if source in clients:
        flow = found.flows[source]
        if seen.flags & SYN and flow.asked_ns is None:
            flow.asked_ns = t_ns
        elif content and flow.greeted_ns is None:
            flow.greeted_ns = t_ns
    elif target in clients:
        flow = found.flows[target]
        if seen.flags & (SYN | ACK) == SYN | ACK and flow.connected_ns is None:
            flow.connected_ns, flow.begins = t_ns, seen.seq
        elif seen.flags & RST:
            offset = None if flow.begins is None else (seen.seq - flow.begins) & _MASK
            flow.resets.append((seen.flags, offset, content))
        elif content and flow.answered_ns is None:
            flow.answered_ns = t_ns


def _between(before_ns: int | None, after_ns: int | None) -> float | None:
    return None if before_ns is None or after_ns is None else (after_ns - before_ns) / 1e9
