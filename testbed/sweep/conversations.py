"""Conversations as packets with their times, for a censor that is asked without a network: the same bytes each time.

Nobody reacts in them: what the censor drops is answered all the same. They are as short as they can be; for what real
clients say, take a capture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from middlebox import forge
from middlebox.drivers.capture import Captured
from middlebox.packet import ACK, FIN, PSH, SYN

#: 2025-01-01 12:00 UTC, a Wednesday: for policies that look at the clock
BEGIN_NS = 1_735_732_800_000_000_000
_CLIENT, _SERVER = bytes([10, 0, 0, 1]), bytes([203, 0, 113, 5])  # RFC 5737 beyond the border
_MSS = 1_460
_ANSWER = b"answer" * 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What of a conversation can be set."""

    host: str = "blocked.example"
    segment: int = 1_400  #: bytes of a segment at most
    rtt_ns: int = 50_000_000  #: as seen by a box beside the client: an answer comes so much later
    content: int = 150_000  #: bytes of a download
    offered: int = 625_000  #: bytes a second at which a server sends them


class _Talking:
    """A TCP connection on its way: its numbers and its clock."""

    def __init__(self, talk: Talk, port: int) -> None:
        self._talk = talk
        self._ends = (40_000, port)
        self._seq = {True: 1_000, False: 9_000}  # by "the client sends"
        self.now_ns = BEGIN_NS

    def segment(self, client: bool, flags: int, payload: bytes = b"") -> tuple[int, bytes]:
        src, dst = (_CLIENT, _SERVER) if client else (_SERVER, _CLIENT)
        sport, dport = self._ends if client else self._ends[::-1]
        options = b"\x02\x04" + _MSS.to_bytes(2, "big") if flags & SYN else b""
        seq, ack = self._seq[client], self._seq[not client] if flags & ACK else 0
        self._seq[client] += len(payload) + bool(flags & (SYN | FIN))
        made = forge.tcp(
            src=src, dst=dst, sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, window=65_535,
            payload=payload, options=options,
        )  # fmt: skip
        return self.now_ns, made

    def said(self, client: bool, text: bytes) -> Iterator[tuple[int, bytes]]:
        """One side's bytes, in segments that leave at once."""
        for at in range(0, len(text), self._talk.segment):
            yield self.segment(client, PSH | ACK, text[at : at + self._talk.segment])

    def begin(self) -> Iterator[tuple[int, bytes]]:
        yield self.segment(True, SYN)
        self.now_ns += self._talk.rtt_ns
        yield self.segment(False, SYN | ACK)
        yield self.segment(True, ACK)

    def end(self) -> Iterator[tuple[int, bytes]]:
        yield self.segment(True, FIN | ACK)
        self.now_ns += self._talk.rtt_ns
        yield self.segment(False, FIN | ACK)
        yield self.segment(True, ACK)


def _asked(talk: Talk, port: int, question: bytes, content: int = 0) -> Iterator[tuple[int, bytes]]:
    """A question over TCP, an answer, and after it so many bytes at the rate of the server."""
    way = _Talking(talk, port)
    yield from way.begin()
    yield from way.said(True, question)
    way.now_ns += talk.rtt_ns
    yield from way.said(False, _ANSWER)
    for at in range(0, content, talk.segment):
        part = bytes(min(talk.segment, content - at))
        yield way.segment(False, ACK, part)
        yield way.segment(True, ACK)
        way.now_ns += len(part) * 1_000_000_000 // talk.offered
    yield from way.end()


def _tls_hello(talk: Talk) -> Iterator[tuple[int, bytes]]:
    return _asked(talk, 443, client_hello(talk.host))


def _tls_download(talk: Talk) -> Iterator[tuple[int, bytes]]:
    return _asked(talk, 443, client_hello(talk.host), talk.content)


def _http_get(talk: Talk) -> Iterator[tuple[int, bytes]]:
    return _asked(talk, 80, f"GET / HTTP/1.1\r\nHost: {talk.host}\r\n\r\n".encode())


def _dns_query(talk: Talk) -> Iterator[tuple[int, bytes]]:
    labels = b"".join(bytes([len(label)]) + label for label in talk.host.encode("idna").split(b".") if label) + b"\0"
    # a query with the number 7 and one question: A, IN
    query = bytes([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + labels + bytes([0, 1, 0, 1])
    yield BEGIN_NS, forge.udp(src=_CLIENT, dst=_SERVER, sport=40_000, dport=53, payload=query)
    answer = forge.dns_answer(query, addresses=[_SERVER])
    assert answer is not None
    yield BEGIN_NS + talk.rtt_ns, forge.udp(src=_SERVER, dst=_CLIENT, sport=53, dport=40_000, payload=answer)


#: workload -> its packets with their times
CONVERSATIONS: dict[str, Callable[[Talk], Iterator[tuple[int, bytes]]]] = {
    "tls-hello": _tls_hello,
    "tls-download": _tls_download,
    "http-get": _http_get,
    "dns-query": _dns_query,
}


def packets(workload: str, talk: Talk) -> list[Captured]:
    """The packets of a conversation, as if they had been captured."""
    return [Captured(number, *made) for number, made in enumerate(CONVERSATIONS[workload](talk))]


def client_hello(host: str) -> bytes:
    """A small TLS 1.3 ClientHello (RFC 8446, 4.1.2) in one record, with this name and nothing that is drawn."""
    name = host.encode("idna")
    extensions = b"".join(
        kind.to_bytes(2, "big") + _sized(2, body)
        for kind, body in (
            (0, _sized(2, b"\0" + _sized(2, name))),  # server_name, RFC 6066
            (10, _sized(2, b"\x00\x1d")),  # supported_groups: x25519
            (13, _sized(2, b"\x04\x03\x08\x04")),  # signature_algorithms
            (16, _sized(2, b"\x02h2\x08http/1.1")),  # ALPN
            (43, _sized(1, b"\x03\x04")),  # supported_versions: TLS 1.3
            (51, _sized(2, b"\x00\x1d" + _sized(2, bytes(range(32))))),  # key_share
        )
    )
    body = b"\x03\x03" + bytes(range(32)) + _sized(1, bytes(32)) + _sized(2, b"\x13\x01\x13\x02") + b"\x01\x00"
    return b"\x16\x03\x01" + _sized(2, b"\x01" + _sized(3, body + _sized(2, extensions)))


def _sized(width: int, body: bytes) -> bytes:
    """Bytes after their length."""
    return len(body).to_bytes(width, "big") + body
