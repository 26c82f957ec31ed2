"""The recorded conversations of VPNs and their like, read by scapy, as a dissector would be given them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scapy.layers.inet import IP, TCP, UDP
from scapy.utils import rdpcap

from middlebox.dissect import DISSECTORS
from middlebox.dissect.base import ENDLESS, Fact, Reads, State
from middlebox.verdict import Direction

FOLDER = Path(__file__).parents[2] / "data" / "vpn"
#: each capture, and the dissector whose it is
WHOSE = {
    "anyconnect": "dtls",
    "dtls": "dtls",
    "dtls-cookie": "dtls",
    "dtls-fragments": "dtls",
    "ikev2": "ikev2",
    "openvpn-tcp": "openvpn",
    "openvpn-tcp-tls-crypt": "openvpn",
    "openvpn-tls-auth": "openvpn",
    "openvpn-tls-auth-256": "openvpn",
    "openvpn-tls-crypt": "openvpn",
    "openvpn-tls-crypt-v2": "openvpn",
    "openvpn-udp": "openvpn",
    "shadowsocks": "encrypted",
    "ssh": "ssh",
    "wireguard": "wireguard",
}
CLIENT = "10.0.0.1"
UP, DOWN = Direction.TO_SERVER, Direction.TO_CLIENT


@dataclass(frozen=True)
class Said:
    """What one packet carried; of packets that carry nothing there is none."""

    flow: tuple[str, int, int]  #: transport, the client's port, the server's port
    direction: Direction
    data: bytes


@cache
def packets(name: str) -> tuple[bytes, ...]:
    """A capture's packets, from the IP header on."""
    return tuple(bytes(frame[IP]) for frame in rdpcap(str(FOLDER / f"{name}.pcap")) if IP in frame)


@cache
def said(name: str) -> tuple[Said, ...]:
    """What the packets of a capture carried, in their order."""
    found = []
    for raw in packets(name):
        packet = IP(raw)
        layer = TCP if TCP in packet else UDP
        up = packet.src == CLIENT
        ends = (packet[layer].sport, packet[layer].dport)
        header = 4 * packet[TCP].dataofs if layer is TCP else 8
        data = raw[4 * packet.ihl + header : packet.len]  # without the padding of a short frame
        if data:
            flow = ("tcp" if layer is TCP else "udp", *(ends if up else ends[::-1]))
            found.append(Said(flow, UP if up else DOWN, data))
    return tuple(found)


def follow(name: str, flow: list[Said], ways: frozenset[Direction] = frozenset(Direction)) -> list[Fact]:
    """All that one dissector tells of a flow; it is asked as `Reader` asks, with TCP segments joined."""
    dissector = DISSECTORS[name]
    transport = flow[0].flow[0]
    if transport not in dissector.transports:
        return []
    told: list[Fact] = []
    following = dissector.follow(transport, Reads())
    waiting = {UP: b"", DOWN: b""}
    pending = set(ways)
    for one in flow:
        if one.direction not in pending:
            continue
        waiting[one.direction] = waiting[one.direction] + one.data if transport == "tcp" else one.data
        while waiting[one.direction]:
            data = waiting[one.direction]
            if following is None:
                answer = dissector.read(data, transport, Reads())
            else:
                answer = following.take(data, one.direction)
            if answer.state is State.FOUND and answer.fact is not None:
                told.append(answer.fact)
                goes_on = following is not None and answer.consumed < ENDLESS
                waiting[one.direction] = data[answer.consumed :] if transport == "tcp" else b""
                if goes_on:
                    continue
                pending = set() if following is not None else pending - {one.direction}
            elif answer.state is State.NOT_MINE:
                pending = set() if transport == "udp" else pending - {one.direction}
            elif transport == "udp":
                waiting[one.direction] = b""
            break
    return told


def flows(name: str) -> dict[tuple[str, int, int], list[Said]]:
    """The flows of a capture."""
    found: dict[tuple[str, int, int], list[Said]] = {}
    for one in said(name):
        found.setdefault(one.flow, []).append(one)
    return found


def facts(name: str, ways: frozenset[Direction] = frozenset(Direction), *, dissector: str = "") -> list[Fact]:
    """What a capture's own dissector (or another) tells of it."""
    return [fact for flow in flows(name).values() for fact in follow(dissector or WHOSE[name], flow, ways)]
