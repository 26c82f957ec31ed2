"""TLS over TCP: the ClientHello, whole or spread over segments and records.

Reads no server message and no second hello. Only the records are read here; `hello` reads what they carry.

Source: RFC 8446 section 5.1 (records).
"""

from __future__ import annotations

from typing import Final

from middlebox.dissect.base import NOT_MINE, Field, Kind, Reading, Reads, found, need_more
from middlebox.dissect.hello import HANDSHAKE_HEADER, SHORTEST_BODY, parse_hello

#: bytes of a handshake message beyond which no ClientHello is believed. Clients send 200 to 2,000, with post-quantum
#: keys of several sorts below 20,000; RFC 8446 allows about 131,000, which only serves to fill a censor's memory.
MAX_HELLO: Final = 65_536
#: RFC 8446, 5.1: the length of a plaintext record must not exceed 2**14
MAX_RECORD: Final = 16_384

_RECORD: Final = 5  # bytes: type, legacy version, length
_CONTENT_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1


class Tls:
    """The dissector."""

    __slots__ = ()

    name = "tls"
    transports = frozenset({"tcp"})
    repeats = False  # a second ClientHello (after HelloRetryRequest, or a renegotiation) is not looked for
    claims = True
    fields = (
        Field(name="tls.sni", kind=Kind.NAME, about="server name in the ClientHello", attribute="sni"),
        Field(name="tls.alpn", kind=Kind.TEXTS, about="application protocols the client offers", attribute="alpn"),
        Field(
            name="tls.version",
            kind=Kind.TEXTS,
            about='versions the client offers: "1.3", "1.2", "1.1", "1.0", "ssl3"',
            attribute="version_words",
        ),
        Field(name="tls.extension", kind=Kind.NUMBERS, about="numbers of the extensions", attribute="extensions"),
        Field(name="tls.cipher", kind=Kind.NUMBERS, about="numbers of the cipher suites", attribute="ciphers"),
        Field(name="tls.ech", kind=Kind.FLAG, about="Encrypted Client Hello (0xfe0d)", attribute="ech"),
        Field(name="tls.esni", kind=Kind.FLAG, about="encrypted SNI, the draft before ECH (0xffce)", attribute="esni"),
        Field(name="tls.ja3", kind=Kind.TEXT, about="JA3 fingerprint, 32 hexadecimal digits", attribute="ja3"),
        Field(name="tls.ja4", kind=Kind.TEXT, about="JA4 fingerprint", attribute="ja4"),
    )

    def follow(self, transport: str, reads: Reads) -> None:
        """Each message stands for itself."""

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """Read a ClientHello.

        A box that does not join records (`reads.records` False) needs the whole handshake message inside the first
        record, and otherwise gives up as soon as the lengths say so; it does not fish for a name in half a message.
        """
        have = len(data)
        if have < _RECORD + HANDSHAKE_HEADER:
            return self._begin(data, reads)
        if data[0] != _CONTENT_HANDSHAKE or data[1] != 3:
            return NOT_MINE
        record = data[3] << 8 | data[4]
        if record > MAX_RECORD or not record:
            return NOT_MINE
        if record < HANDSHAKE_HEADER:
            return _join(data) if reads.records and data[5] == _CLIENT_HELLO else NOT_MINE
        length = data[6] << 16 | data[7] << 8 | data[8]
        if data[5] != _CLIENT_HELLO or length < SHORTEST_BODY or length > MAX_HELLO - HANDSHAKE_HEADER:
            return NOT_MINE
        if length + HANDSHAKE_HEADER > record:
            return _join(data) if reads.records else NOT_MINE
        end = _RECORD + HANDSHAKE_HEADER + length
        if have < end:
            return need_more(end)
        hello = parse_hello(data, _RECORD + HANDSHAKE_HEADER, end)
        return NOT_MINE if hello is None else found(hello, end)

    def _begin(self, data: bytes, reads: Reads) -> Reading:
        """Fewer bytes than both headers: each may already tell that this is no hello."""
        have = len(data)
        if have > 0 and data[0] != _CONTENT_HANDSHAKE:
            return NOT_MINE
        if have > 1 and data[1] != 3:
            return NOT_MINE
        if have > 3 and data[3] > MAX_RECORD >> 8:
            return NOT_MINE
        if have > 4:
            record = data[3] << 8 | data[4]
            if not record or record > MAX_RECORD or (record < HANDSHAKE_HEADER and not reads.records):
                return NOT_MINE
        if have > 5 and data[5] != _CLIENT_HELLO:
            return NOT_MINE
        return need_more(have + 1)


def _join(data: bytes) -> Reading:
    """Read a hello that is spread over several records."""
    have = len(data)
    message = bytearray()
    missing = HANDSHAKE_HEADER + SHORTEST_BODY  # bytes of the handshake message still to come, at least
    length = 0  # of the handshake message with its header; 0: not known yet
    at = 0
    while True:
        if at < have and data[at] != _CONTENT_HANDSHAKE:
            return NOT_MINE
        if at + 1 < have and data[at + 1] != 3:
            return NOT_MINE
        if at + _RECORD > have:
            return need_more(at + _RECORD + missing)
        record = data[at + 3] << 8 | data[at + 4]
        if not record or record > MAX_RECORD:  # RFC 8446, 5.1: no empty fragment of a handshake message
            return NOT_MINE
        at += _RECORD
        end = at + record
        if end > have:
            end = have
        message += data[at:end]
        if not length and len(message) >= HANDSHAKE_HEADER:
            length = message[1] << 16 | message[2] << 8 | message[3]
            if length < SHORTEST_BODY or length > MAX_HELLO - HANDSHAKE_HEADER:
                return NOT_MINE
            length += HANDSHAKE_HEADER
        missing = (length or HANDSHAKE_HEADER + SHORTEST_BODY) - len(message)
        if length and missing <= 0:
            hello = parse_hello(bytes(message), HANDSHAKE_HEADER, length)
            return NOT_MINE if hello is None else found(hello, end + missing)
        left = at + record - end  # bytes of this record still to come
        at += record
        if left:
            return need_more(have + missing if missing <= left else at + _RECORD + missing - left)


DISSECTOR: Tls = Tls()
