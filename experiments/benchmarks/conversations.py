"""Packets of whole conversations, as real clients send them: what the benchmarks feed to the engine.

Built by scapy around TLS handshakes of Python's own OpenSSL; nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.packet import Packet, Raw

from experiments.benchmarks.hellos import hello

#: ClientHellos of browsers and tools, as they were sent
RECORDED = Path(__file__).parent.parent.parent / "tests" / "data" / "hellos"


def _ip(six: bool, back: bool) -> Packet:
    ends = ("2001:db8:1::1", "2001:db8:c::5") if six else ("10.0.0.1", "203.0.113.5")
    src, dst = reversed(ends) if back else ends
    return IPv6(src=src, dst=dst) if six else IP(src=src, dst=dst)


def conversation(port: int, sport: int, asked: list[bytes], *, six: bool = False, cut: int = 1400) -> Iterator[Packet]:
    """A TCP connection: handshake, what the client says in segments of at most `cut` bytes, an answer, the end."""
    seq, ack = 1_000, 9_000
    yield _ip(six, False) / TCP(sport=sport, dport=port, flags="S", seq=seq, options=[("MSS", 1460), ("SAckOK", b"")])
    yield _ip(six, True) / TCP(sport=port, dport=sport, flags="SA", seq=ack, ack=seq + 1, options=[("MSS", 1460)])
    seq, ack = seq + 1, ack + 1
    yield _ip(six, False) / TCP(sport=sport, dport=port, flags="A", seq=seq, ack=ack)
    for text in asked:
        for at in range(0, len(text), cut):
            part = text[at : at + cut]
            yield _ip(six, False) / TCP(sport=sport, dport=port, flags="PA", seq=seq, ack=ack) / Raw(part)
            seq += len(part)
        yield _ip(six, True) / TCP(sport=port, dport=sport, flags="PA", seq=ack, ack=seq) / Raw(b"answer" * 30)
        ack += 180
    yield _ip(six, False) / TCP(sport=sport, dport=port, flags="FA", seq=seq, ack=ack)
    yield _ip(six, True) / TCP(sport=port, dport=sport, flags="R", seq=ack)


def packets() -> Iterator[bytes]:
    """A few hundred packets that between them meet every parser of the engine."""
    get = b"GET /forbidden HTTP/1.1\r\nHost: blocked.example\r\nUser-Agent: test\r\n\r\n"
    post = b"POST /a HTTP/1.1\r\nHost: www.blocked.example\r\nContent-Length: 30\r\n\r\n" + b"b" * 30
    for six in (False, True):
        for number, name in enumerate(("blocked.example", "innocent.example", None)):
            yield from map(bytes, conversation(443, 40_000 + number, [hello(name)], six=six))
            yield from map(bytes, conversation(443, 41_000 + number, [hello(name)], six=six, cut=100))
        yield from map(bytes, conversation(80, 42_000, [get + post, get], six=six))
        query = DNS(id=7, rd=1, qd=DNSQR(qname="blocked.example", qtype="AAAA" if six else "A"))
        yield bytes(_ip(six, False) / UDP(sport=5353, dport=53) / query)
        framed = len(bytes(query)).to_bytes(2, "big") + bytes(query)
        yield from map(bytes, conversation(53, 43_000, [framed, framed], six=six))
    for number, path in enumerate(sorted(RECORDED.glob("*.bin"))):
        yield from map(bytes, conversation(443, 45_000 + number, [path.read_bytes()], six=number % 2 == 0))
    yield bytes(IP(src="10.0.0.1", dst="203.0.113.5") / ICMP() / Raw(b"ping"))
    big = IP(src="10.0.0.1", dst="203.0.113.5", id=77) / UDP(sport=1, dport=2) / Raw(b"u" * 4_000)
    yield from (bytes(piece) for piece in fragment(big, fragsize=600))  # type: ignore[no-untyped-call]
    base = _ip(True, False) / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt()
    yield bytes(base / TCP(sport=44_000, dport=443, flags="S", seq=1))
    yield bytes(_ip(True, False) / IPv6ExtHdrFragment(offset=0, m=1, id=5) / UDP(sport=1, dport=2) / Raw(b"u" * 64))
    yield bytes(_ip(True, False) / IPv6ExtHdrFragment(offset=9, m=0, id=5) / Raw(b"u" * 64))
