"""A test of the censor as a dialogue: `client.send(hello)`, then look at what came of it.

Packets are built by scapy, not by the engine's own forging, so that a mistake in one does not hide in the other.
"""

from __future__ import annotations

import ssl
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from middlebox.censor import Censor
from middlebox.policy import Policy
from middlebox.verdict import Decision, Verdict

MS = 1_000_000
S = 1_000_000_000
#: Thursday, 15 August 2024, 12:00 UTC
NOON = 1_723_723_200 * S


def policy(text: str) -> Policy:
    """A policy from YAML text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.yaml"
        path.write_text(dedent(text), encoding="utf-8")
        return Policy.load(path)


@cache
def hello(name: str | None = "blocked.example") -> bytes:
    """A ClientHello as Python's own TLS sends it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def get(host: str = "blocked.example", target: str = "/") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


class Play:
    """One censor and the connections that a test leads past it; time moves by a millisecond a packet."""

    def __init__(self, text: str | Policy, *, seed: int = 7) -> None:
        self.policy = policy(text) if isinstance(text, str) else text
        self.told: list[tuple[str, ...]] = []
        self.censor = Censor(self.policy, seed=seed, explain=lambda number, flow, said: self.told.append(said))
        self.now_ns = NOON
        self.decisions: list[Decision] = []

    def give(self, packet: Packet | bytes) -> Decision:
        self.now_ns += MS
        decision = self.censor.decide(bytes(packet), self.now_ns)
        self.decisions.append(decision)
        return decision

    def wait(self, seconds: float) -> None:
        self.now_ns += int(seconds * S)

    def connect(self, **where: Any) -> Connection:
        """A connection with its handshake done."""
        connection = Connection(self, **where)
        connection.open()
        return connection

    def ask(self, name: str, kind: str = "A", *, client: str = "10.0.0.1", port: int = 5353, **ip: Any) -> Decision:
        """A DNS query over UDP."""
        query = DNS(id=0x1234, rd=1, qd=DNSQR(qname=name, qtype=kind))
        return self.give(IP(src=client, dst="203.0.113.53", **ip) / UDP(sport=port, dport=53) / query)

    def ping(self, src: str, dst: str) -> Decision:
        return self.give(IP(src=src, dst=dst) / ICMP() / Raw(b"penstock"))


class Connection:
    """One TCP connection: both ends' sequence numbers are kept here."""

    def __init__(
        self,
        play: Play,
        *,
        client: str = "10.0.0.1",
        server: str = "203.0.113.5",
        sport: int = 40000,
        dport: int = 443,
        isn: int = 1000,
        server_isn: int = 9000,
    ) -> None:
        self.play = play
        self.client, self.server, self.sport, self.dport = client, server, sport, dport
        self.seq, self.peer = isn, server_isn

    def _ip(self, src: str, dst: str, **fields: Any) -> Packet:
        if ":" in src:
            if "ttl" in fields:
                fields["hlim"] = fields.pop("ttl")
            return IPv6(src=src, dst=dst, **fields)
        return IP(src=src, dst=dst, **fields)

    def to_server(
        self, payload: bytes = b"", flags: str = "PA", *, seq: int | None = None, options: object = (), **ip: Any
    ) -> Packet:
        """A segment of the client's; it moves no state here."""
        number = self.seq if seq is None else seq
        ack = self.peer if "A" in flags else 0
        tcp = TCP(
            sport=self.sport,
            dport=self.dport,
            seq=number % 2**32,
            ack=ack % 2**32,
            flags=flags,
            options=list(options),  # type: ignore[call-overload]
        )
        return self._ip(self.client, self.server, **ip) / tcp / Raw(payload)

    def to_client(self, payload: bytes = b"", flags: str = "PA", *, seq: int | None = None, **ip: Any) -> Packet:
        number = self.peer if seq is None else seq
        tcp = TCP(sport=self.dport, dport=self.sport, seq=number % 2**32, ack=self.seq % 2**32, flags=flags)
        return self._ip(self.server, self.client, **ip) / tcp / Raw(payload)

    def syn(self, **ip: Any) -> Decision:
        decision = self.play.give(self.to_server(flags="S", **ip))
        self.seq += 1
        return decision

    def open(self) -> None:
        self.syn()
        self.play.give(self.to_client(flags="SA"))
        self.peer += 1
        self.play.give(self.to_server(flags="A"))

    def send(self, payload: bytes, **how: Any) -> Decision:
        """The client's next bytes."""
        decision = self.play.give(self.to_server(payload, **how))
        self.seq += len(payload)
        return decision

    def answer(self, payload: bytes, flags: str = "PA", **ip: Any) -> Decision:
        """The server's next bytes."""
        decision = self.play.give(self.to_client(payload, flags, **ip))
        self.peer += len(payload)
        return decision


def pieces(packet: Packet, size: int) -> list[Packet]:
    """The IP fragments of a packet, each with at most `size` bytes of it."""
    cut: list[Packet] = fragment(packet, fragsize=size)  # type: ignore[no-untyped-call]
    return cut


def passed(decision: Decision) -> bool:
    return decision.simply_passed


def dropped(decision: Decision) -> bool:
    return decision.verdict is Verdict.DROP


def forged(decision: Decision) -> list[Packet]:
    """The injected packets as scapy reads them, checksums verified."""
    packets: list[Packet] = []
    for emission in decision.injected:
        kind = IPv6 if emission.packet[0] >> 4 == 6 else IP
        packet = kind(emission.packet)
        again = packet.copy()
        for layer in (IP, TCP, UDP, ICMP):
            if again.haslayer(layer):
                del again[layer].chksum
        assert bytes(kind(bytes(again))) == emission.packet, "a checksum or a length is wrong"
        packets.append(packet)
    return packets
