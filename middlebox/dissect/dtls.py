"""DTLS over UDP: the ClientHello, first and repeated with its cookie, whole or in fragments.

Reads no message of the server's and none that is encrypted. `hello` reads the body, from which the cookie is taken out
first. STUN may precede it in the same flow (WebRTC, Snowflake) and is passed over.

Sources: RFC 6347 sections 4.1, 4.2.1 to 4.2.3; RFC 9147 sections 4, 5.2 to 5.5; RFC 7983 section 7 and RFC 8489
section 5 (STUN in the same flow); FoxIO's description of JA4 (letters d, d1 to d3).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from middlebox.dissect.base import ENDLESS, NOT_MINE, Fact, Field, Kind, Reading, Reads, State, found
from middlebox.dissect.hello import SHORTEST_BODY, ClientHello, parse_hello
from middlebox.dissect.ja import GREASE, ja3, ja4
from middlebox.verdict import Direction

#: bytes of a hello that is believed. Without post-quantum keys they have 150 to 700, with them below 3,000
MAX_HELLO = 8_192
#: fragments of one hello that are kept: one of 3,000 bytes in the smallest datagrams of OpenSSL (208)
MAX_FRAGMENTS = 32
#: datagrams of STUN, of the server or of a hello still in pieces after which nobody waits any longer: a browser's
#: connectivity checks over a few seconds
MAX_WAITING = 64

_RECORD = 13  # type, version, epoch, number (48 bits), length
_MESSAGE = 12  # type, length, message number, offset and length of the fragment
_HANDSHAKE = 22
_CLIENT_HELLO = 1
_VERSIONS = frozenset({0xFEFF, 0xFEFD})  # of a record in the clear: DTLS 1.0, and 1.2 and 1.3
_WORDS = {0xFEFF: "1.0", 0xFEFD: "1.2", 0xFEFC: "1.3"}
#: the TLS versions with the same hello; DTLS counts downward
_AS_TLS = {0xFEFF: b"\x03\x02", 0xFEFD: b"\x03\x03"}
_JA4_VERSIONS = {0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3"}
_STUN_COOKIE = b"\x21\x12\xa4\x42"

_HEAD = Struct(">BHHHIH")
_GOES_ON = Reading(State.NEED_MORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DtlsHello(Fact):
    """One ClientHello."""

    offered: ClientHello  #: as in TLS; its legacy version is that of TLS with the same hello
    legacy_version: int  #: as sent: 0xfeff, 0xfefd
    cookie: bool  #: it repeats a cookie of the server's (DTLS 1.2 and before)

    hello = True

    @property
    def sni(self) -> str | None:
        return self.offered.sni

    @property
    def alpn(self) -> tuple[str, ...] | None:
        return self.offered.alpn

    @property
    def extensions(self) -> tuple[int, ...]:
        return self.offered.extensions

    @property
    def ciphers(self) -> tuple[int, ...]:
        return self.offered.ciphers

    @property
    def versions(self) -> tuple[int, ...]:
        """Versions that a server may choose: supported_versions, else the legacy one alone."""
        listed = self.offered.supported_versions
        return (self.legacy_version,) if listed is None else tuple([one for one in listed if one not in GREASE])

    @property
    def version_words(self) -> tuple[str, ...]:
        return tuple([_WORDS.get(one) or f"0x{one:04x}" for one in self.versions])

    @property
    def ja3(self) -> str:
        """JA3 fingerprint; computed when asked."""
        one = self.offered
        return ja3(self.legacy_version, one.ciphers, one.extensions, one.groups or (), one.point_formats or ())

    @property
    def ja4(self) -> str:
        """JA4 fingerprint; computed when asked."""
        one = self.offered
        alpn = one.alpn_raw[0] if one.alpn_raw else b""
        text = ja4("d", (), one.ciphers, one.extensions, alpn, one.signature_algorithms or ())
        # the newest version has the lowest number, and its letters stand where those of TLS do
        return f"d{_JA4_VERSIONS.get(min(self.versions, default=0), '00')}{text[3:]}"


@dataclass(frozen=True, slots=True)
class DtlsOther(Fact):
    """Any other datagram of a flow whose hello has been told: it has none of the fields."""


def parse_body(body: bytes) -> DtlsHello | None:
    """The hello in the body of a handshake message; None if it is none."""
    if len(body) < SHORTEST_BODY + 1:
        return None
    version = body[0] << 8 | body[1]
    as_tls = _AS_TLS.get(version)
    at = SHORTEST_BODY + body[SHORTEST_BODY - 1]  # behind the session ID
    if as_tls is None or at >= len(body):
        return None
    after = at + 1 + body[at]  # behind the cookie
    joined = as_tls + body[2:at] + body[after:]
    offered = parse_hello(joined, 0, len(joined))
    if offered is None:
        return None
    return DtlsHello(offered=offered, legacy_version=version, cookie=after > at + 1)


class _Following:
    """One flow."""

    __slots__ = ("_from", "_length", "_number", "_parts", "_told", "_waited", "held")

    def __init__(self) -> None:
        self._from: Direction | None = None  # who sent the hello, or the first piece of it
        self._number = self._length = 0  # of the message that is put together
        self._parts: dict[int, bytes] = {}  # its fragments, by their offset
        self._told = False
        self._waited = 0
        self.held = 0

    def take(self, data: bytes, direction: Direction) -> Reading:
        """Read one datagram: one record or several."""
        if len(data) >= 20 and data[0] < 4 and data[4:8] == _STUN_COOKIE:
            return self._wait()
        if self._from is not None and direction is not self._from:
            return self._wait()  # the server's answer: not read
        if len(data) < _RECORD + _MESSAGE or data[0] != _HANDSHAKE:
            return NOT_MINE
        at = 0
        end = len(data)
        while at + _RECORD + _MESSAGE <= end:
            kind, version, epoch, high, _, size = _HEAD.unpack_from(data, at)
            at += _RECORD
            if kind != _HANDSHAKE or version not in _VERSIONS or epoch or high or size < _MESSAGE or at + size > end:
                return NOT_MINE
            hello = self._message(data, at, at + size, direction)
            if hello is None:
                return NOT_MINE
            if hello.state is State.FOUND:
                return hello
            at += size
        return NOT_MINE if at != end else self._wait()

    def _wait(self) -> Reading:
        self._waited += 1
        if self._waited > MAX_WAITING:
            return NOT_MINE
        return found(DtlsOther(), 0) if self._told else _GOES_ON

    def _message(self, data: bytes, at: int, end: int, direction: Direction) -> Reading | None:
        """One handshake message or a fragment of it; None if it is no ClientHello."""
        length = int.from_bytes(data[at + 1 : at + 4], "big")
        number = data[at + 4] << 8 | data[at + 5]
        offset = int.from_bytes(data[at + 6 : at + 9], "big")
        size = int.from_bytes(data[at + 9 : at + 12], "big")
        at += _MESSAGE
        # messages are numbered from 0 (RFC 6347, 4.2.2); the second hello, after the server's cookie, has the number 1
        if data[at - _MESSAGE] != _CLIENT_HELLO or number > 1 or not SHORTEST_BODY < length <= MAX_HELLO:
            return None
        if at + size != end or offset + size > length:
            return None
        if size == length:
            return self._whole(data[at:end], direction)
        if self._parts and (number, length) != (self._number, self._length):
            self._parts.clear()  # the next hello begins before the last one is whole
        if len(self._parts) >= MAX_FRAGMENTS:
            return None
        self._from, self._number, self._length = direction, number, length
        self._parts[offset] = data[at:end]
        body = self._join()
        if body:
            return self._whole(body, direction)
        self.held = sum(map(len, self._parts.values()))
        return _GOES_ON

    def _join(self) -> bytes:
        """The message, if no piece is missing."""
        body = bytearray()
        for offset, part in sorted(self._parts.items()):
            if offset > len(body):
                return b""
            if offset + len(part) > len(body):
                body[offset:] = part
        return bytes(body) if len(body) == self._length else b""

    def _whole(self, body: bytes, direction: Direction) -> Reading | None:
        self._parts.clear()
        self.held = 0
        hello = parse_body(body)
        if hello is None:
            return None
        self._from = direction
        self._told = True
        return found(hello, ENDLESS if hello.cookie else 0)


class Dtls:
    """The dissector."""

    __slots__ = ()

    name = "dtls"
    transports = frozenset({"udp"})
    repeats = False
    claims = True
    fields = (
        Field(
            name="dtls.hello",
            kind=Kind.FLAG,
            about="a ClientHello was read",
            attribute="hello",
            noun="the statement that a DTLS ClientHello was read",
        ),
        Field(
            name="dtls.sni",
            kind=Kind.NAME,
            about="server name in the ClientHello",
            attribute="sni",
            noun="the server name in a DTLS ClientHello",
        ),
        Field(
            name="dtls.alpn",
            kind=Kind.TEXTS,
            about="application protocols the client offers",
            attribute="alpn",
            noun="an application protocol (ALPN) in a DTLS ClientHello",
        ),
        Field(
            name="dtls.version",
            kind=Kind.TEXTS,
            about='versions the client offers: "1.3", "1.2", "1.0"',
            attribute="version_words",
            noun="a version that a DTLS ClientHello offers",
        ),
        Field(
            name="dtls.extension",
            kind=Kind.NUMBERS,
            about="numbers of the extensions",
            attribute="extensions",
            noun="the number of an extension in a DTLS ClientHello",
        ),
        Field(
            name="dtls.cipher",
            kind=Kind.NUMBERS,
            about="numbers of the cipher suites",
            attribute="ciphers",
            noun="the number of a cipher suite in a DTLS ClientHello",
        ),
        Field(
            name="dtls.cookie",
            kind=Kind.FLAG,
            about="the ClientHello repeats a cookie of the server's",
            attribute="cookie",
            noun="the statement that a DTLS ClientHello repeats a cookie",
        ),
        Field(
            name="dtls.ja3",
            kind=Kind.TEXT,
            about="JA3 fingerprint, 32 hexadecimal digits",
            attribute="ja3",
            noun="the JA3 fingerprint of a DTLS ClientHello",
        ),
        Field(
            name="dtls.ja4",
            kind=Kind.TEXT,
            about="JA4 fingerprint",
            attribute="ja4",
            noun="the JA4 fingerprint of a DTLS ClientHello",
        ),
    )

    def follow(self, transport: str, reads: Reads) -> _Following:
        """Begin to follow a flow."""
        return _Following()

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """What a first datagram alone tells."""
        return _Following().take(data, Direction.TO_SERVER)


DISSECTOR: Dtls = Dtls()
