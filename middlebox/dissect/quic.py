"""QUIC: what a client's first packets show, and the ClientHello in its Initial packets, decrypted.

Reads only what clients say: a server's Initials open with the same secret, but tell nothing that a policy asks for.
Packets behind the Initials are secret; nothing is said of them, and nothing is guessed by port numbers. The header of
the first QUIC packet is told at once, whether or not a ClientHello can be read; what a ClientHello would tell stays
open until it is whole, or until nobody looks any more.

Sources: RFC 9000 sections 7.2 (connection IDs), 12.2 (coalesced packets), 17.2.5 (Retry); RFC 9001 section 5.2; RFC
9368 (version negotiation); RFC 9369 (version 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from middlebox.dissect.base import (
    ENDLESS,
    NOT_MINE,
    Fact,
    Field,
    Kind,
    Reading,
    Reads,
    found,
    need_more,
)
from middlebox.dissect.hello import HANDSHAKE_HEADER, SHORTEST_BODY, ClientHello, parse_hello
from middlebox.dissect.quic_frames import MAX_CRYPTO, CryptoBytes, crypto_pieces, first_frame
from middlebox.dissect.quic_packet import LONG, SHORTEST, LongHeader, long_header
from middlebox.dissect.quic_packet import Kind as Packet
from middlebox.dissect.quic_protection import V1, V2, InitialKeys
from middlebox.match import UNKNOWN, Unknown
from middlebox.verdict import Direction

#: datagrams of a flow that are looked at: a client may send ten before it hears of the server (RFC 9002, 7.2), and some
#: clients send junk before their hello
MAX_DATAGRAMS: Final = 16
#: packets of one datagram that are looked at: clients coalesce an Initial, 0-RTT and a Handshake packet
MAX_PACKETS: Final = 4

_CLIENT_HELLO: Final = 1
_WORDS: Final = {V1: "1", V2: "2"}


@dataclass(slots=True, kw_only=True)
class QuicClient(Fact):
    """What a client has shown so far."""

    version: int  #: of the latest long header
    initial: bool | None  #: that header was of an Initial packet; None: its version is not read so far
    dcid_length: int  #: bytes of the destination connection ID in it
    hello: ClientHello | None
    coming: bool  #: the hello, or the rest of it, may still come

    @property
    def version_word(self) -> str:
        """ "1", "2", "0xff00001d"."""
        return _WORDS.get(self.version) or f"0x{self.version:08x}"

    @property
    def sni(self) -> str | Unknown | None:
        return self.hello.sni if self.hello is not None else self._none

    @property
    def alpn(self) -> tuple[str, ...] | Unknown | None:
        return self.hello.alpn if self.hello is not None else self._none

    @property
    def ech(self) -> bool | Unknown | None:
        return self.hello.ech if self.hello is not None else self._none

    @property
    def ja3(self) -> str | Unknown | None:
        return self.hello.ja3 if self.hello is not None else self._none

    @property
    def ja4(self) -> str | Unknown | None:
        return self.hello.ja4_over("q") if self.hello is not None else self._none

    @property
    def _none(self) -> Unknown | None:
        return UNKNOWN if self.coming else None


class _Following:
    """What is kept of one flow."""

    __slots__ = ("_crypto", "_done", "_hello", "_keys", "_last", "_reads", "_seen")

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._seen = 0  # datagrams
        self._last: LongHeader | None = None
        self._keys: InitialKeys | None = None  # those that have opened a packet
        self._crypto: CryptoBytes | None = None
        self._hello: ClientHello | None = None
        self._done = False  # no hello will be read any more

    @property
    def held(self) -> int:
        """Bytes of the handshake that wait for the rest."""
        return 0 if self._crypto is None else len(self._crypto.data)

    def take(self, data: bytes, direction: Direction) -> Reading:
        """Read one datagram."""
        self._seen += 1
        header = None
        if direction is Direction.TO_SERVER and len(data) >= SHORTEST and data[0] >= LONG:
            header = long_header(data, 0)
            if header is not None:
                self._last = header
                self._datagram(data, header)
        if self._seen >= MAX_DATAGRAMS:
            self._done = True
        last = self._last
        if last is None:
            return NOT_MINE if self._done else need_more(1)
        if header is None and not self._done:
            return need_more(1)
        if self._done:
            self._crypto = None
        fact = QuicClient(
            version=last.version,
            initial=None if last.version not in _WORDS else last.kind is Packet.INITIAL,
            dcid_length=len(last.dcid),
            hello=self._hello,
            coming=not self._done,
        )
        return found(fact, ENDLESS if self._done else len(data))

    def _datagram(self, data: bytes, header: LongHeader) -> None:
        """Read the Initial packets of a datagram; the others are skipped by their lengths."""
        if not self._reads.quic_datagrams:
            self._crypto = None
        dcid, at = header.dcid, 0
        for _ in range(MAX_PACKETS):
            if header.kind is Packet.INITIAL:
                self._initial(data, at, header)
            at = header.end
            following = long_header(data, at) if at < len(data) and not self._done else None
            if following is None or following.dcid != dcid:  # RFC 9000, 12.2: others are for another connection
                break
            header = following

    def _initial(self, data: bytes, at: int, header: LongHeader) -> None:
        for keys in self._candidates(header):
            frames = keys.open(data, at, header.number_at, header.end)
            if frames is None:
                continue
            if keys is not self._keys:
                if self._keys is None or keys.dcid != self._keys.dcid:
                    self._crypto = None  # after a Retry, or after somebody else's packet, the hello begins anew
                self._keys = keys
            if self._reads.quic_frames:
                self._frames(frames)
            else:
                self._first(frames)
            return

    def _candidates(self, header: LongHeader) -> Iterator[InitialKeys]:
        """The keys that may open an Initial, the likeliest first.

        A client that has heard of the server goes on with the keys of its first packet under a connection ID of the
        server's choice; after a Retry with those of that ID; in another version with those of its first ID there.
        """
        keys, version = self._keys, header.version
        if keys is not None and keys.version == version:
            yield keys
        if keys is None or keys.version != version or keys.dcid != header.dcid:
            yield InitialKeys(version, header.dcid)
        if keys is not None and keys.version != version and keys.dcid != header.dcid:
            yield InitialKeys(version, keys.dcid)

    def _frames(self, frames: bytes) -> None:
        """Put what a packet's CRYPTO frames carry to the rest."""
        pieces = crypto_pieces(frames)
        if not pieces:
            return
        if self._crypto is None and len(pieces) == 1 and not pieces[0][0]:  # most hellos come in one piece
            _, start, end = pieces[0]
            if self._parse(frames, start, end):
                return
        if self._crypto is None:
            self._crypto = CryptoBytes()
        for offset, start, end in pieces:
            self._crypto.add(offset, frames[start:end])
        self._parse(self._crypto.data, 0, self._crypto.whole)

    def _first(self, frames: bytes) -> None:
        """Read a hello as a box does that joins no CRYPTO frames and ignores their length."""
        start = first_frame(frames)
        if start >= 0:
            self._parse(frames, start, len(frames))

    def _parse(self, data: bytes | bytearray, start: int, end: int) -> bool:
        """Read the hello that begins at `start`, if it ends by `end`; True if no more bytes are needed to judge it."""
        if end - start < HANDSHAKE_HEADER:
            return False
        length = data[start + 1] << 16 | data[start + 2] << 8 | data[start + 3]
        begin = start + HANDSHAKE_HEADER
        if data[start] == _CLIENT_HELLO and SHORTEST_BODY <= length <= MAX_CRYPTO - HANDSHAKE_HEADER:
            if begin + length > end:
                return False
            self._hello = parse_hello(bytes(data), begin, begin + length)
        # a box that reads each datagram for itself may find another hello in a later one
        self._done = self._hello is not None or self._reads.quic_datagrams
        return True


class Quic:
    """The dissector."""

    __slots__ = ()

    name = "quic"
    transports = frozenset({"udp"})
    repeats = False
    claims = True
    fields = (
        Field(
            name="quic.version",
            kind=Kind.TEXT,
            about='version in the latest long header of the client: "1", "2", others as "0xff00001d"',
            attribute="version_word",
            noun="the version of a QUIC packet",
        ),
        Field(
            name="quic.initial",
            kind=Kind.FLAG,
            about="the latest datagram with a long header began with an Initial packet (versions 1 and 2)",
            attribute="initial",
        ),
        Field(
            name="quic.dcid_length",
            kind=Kind.NUMBER,
            about="bytes of the destination connection ID in the latest long header",
            attribute="dcid_length",
            noun="the length of a QUIC packet's destination connection ID",
        ),
        Field(
            name="quic.sni",
            kind=Kind.NAME,
            about="server name in the ClientHello of a QUIC connection",
            attribute="sni",
            noun="the server name in a QUIC ClientHello",
        ),
        Field(
            name="quic.alpn",
            kind=Kind.TEXTS,
            about="application protocols the client offers",
            attribute="alpn",
            noun="an application protocol (ALPN) in a QUIC ClientHello",
        ),
        Field(name="quic.ech", kind=Kind.FLAG, about="Encrypted Client Hello (0xfe0d) over QUIC", attribute="ech"),
        Field(
            name="quic.ja3",
            kind=Kind.TEXT,
            about="JA3 fingerprint, 32 hexadecimal digits",
            attribute="ja3",
            noun="the JA3 fingerprint of a QUIC ClientHello",
        ),
        Field(
            name="quic.ja4",
            kind=Kind.TEXT,
            about='JA4 fingerprint; over QUIC it begins with "q"',
            attribute="ja4",
            noun="the JA4 fingerprint of a QUIC ClientHello",
        ),
    )

    def follow(self, transport: str, reads: Reads) -> _Following:
        """Begin to follow a flow."""
        return _Following(reads)

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """Read one datagram of a client as if it were the first and only one."""
        return self.follow(transport, reads).take(data, Direction.TO_SERVER)


DISSECTOR: Quic = Quic()
