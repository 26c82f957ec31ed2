"""TLS: the ClientHello, whole or spread over segments and records.

Reads no server message, decrypts nothing, and does not judge what a hello offers. A hello whose own lengths do not add
up is none; an extension whose body does not parse counts as sent, and what it would have told stays absent.

Sources: RFC 8446 section 4.1.2 (ClientHello), 5.1 (records); RFC 6066 section 3 (server_name); RFC 7301 (ALPN);
RFC 8701 (GREASE); RFC 9849 (ECH, 0xfe0d); draft-ietf-tls-esni-02 (ESNI, 0xffce).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, unpack_from

from middlebox.dissect.base import NOT_MINE, Fact, Field, Kind, Reading, Reads, found, need_more
from middlebox.dissect.ja import GREASE, ja3, ja4

#: bytes of a handshake message beyond which no ClientHello is believed. Clients send 200 to 2,000, with post-quantum
#: keys of several sorts below 20,000; RFC 8446 allows about 131,000, which only serves to fill a censor's memory.
MAX_HELLO = 65_536
#: RFC 8446, 5.1: the length of a plaintext record must not exceed 2**14
MAX_RECORD = 16_384

_RECORD = 5  # bytes: type, legacy version, length
_HANDSHAKE = 4  # bytes: type, 24-bit length
_CONTENT_HANDSHAKE = 22
_CLIENT_HELLO = 1
#: legacy version, random, and the length of the session ID
_FIXED = 35
#: RFC 8446, 4.1.2: legacy_session_id<0..32>
_MAX_SESSION_ID = 32

_SERVER_NAME = 0
_GROUPS = 10
_POINT_FORMATS = 11
_SIGNATURE_ALGORITHMS = 13
_ALPN = 16
_SUPPORTED_VERSIONS = 43
_ECH = 0xFE0D
_ESNI = 0xFFCE
_READ = frozenset({_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIGNATURE_ALGORITHMS, _ALPN, _SUPPORTED_VERSIONS})

_VERSION_WORDS = {0x0300: "ssl3", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}

_U16 = Struct(">H")
_TWO_U16 = Struct(">HH")
_U8_U16 = Struct(">BH")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello(Fact):
    """What a client offers, in the order of the wire; lists of numbers keep their GREASE values."""

    legacy_version: int
    supported_versions: tuple[int, ...] | None  #: None: the extension is absent or does not parse
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]  #: numbers of all extensions
    groups: tuple[int, ...] | None
    point_formats: tuple[int, ...] | None
    signature_algorithms: tuple[int, ...] | None
    alpn_raw: tuple[bytes, ...] | None
    sni_raw: bytes | None  #: the first host_name, as sent
    length: int  #: bytes of the handshake message, its 4-byte header included

    @property
    def sni(self) -> str | None:
        """The server name: ASCII letters in lower case, no dot at its end, each other byte one Latin-1 character."""
        raw = self.sni_raw
        if raw is None:
            return None
        name = raw.lower().decode("latin-1")
        return name[:-1] if name.endswith(".") else name

    @property
    def alpn(self) -> tuple[str, ...] | None:
        """Names of application protocols, each byte one Latin-1 character."""
        return None if self.alpn_raw is None else tuple([one.decode("latin-1") for one in self.alpn_raw])

    @property
    def versions(self) -> tuple[int, ...]:
        """Versions that a server may choose: supported_versions, else the legacy one alone (RFC 8446, 4.2.1)."""
        if self.supported_versions is None:
            return (self.legacy_version,)
        return tuple([one for one in self.supported_versions if one not in GREASE])

    @property
    def version_words(self) -> tuple[str, ...]:
        """`versions` as "1.3"; a number without a word as "0x7f1c"."""
        return tuple([_VERSION_WORDS.get(one) or f"0x{one:04x}" for one in self.versions])

    @property
    def ech(self) -> bool:
        """True for an outer hello of Encrypted Client Hello; GREASE ECH looks the same by design."""
        return _ECH in self.extensions

    @property
    def esni(self) -> bool:
        """True for ESNI, the draft before ECH."""
        return _ESNI in self.extensions

    @property
    def ja3(self) -> str:
        """JA3 fingerprint; computed when asked."""
        return ja3(self.legacy_version, self.ciphers, self.extensions, self.groups or (), self.point_formats or ())

    @property
    def ja4(self) -> str:
        """JA4 fingerprint of a hello over TCP; computed when asked."""
        alpn = self.alpn_raw[0] if self.alpn_raw else b""
        return ja4("t", self.versions, self.ciphers, self.extensions, alpn, self.signature_algorithms or ())


def parse_hello(data: bytes, start: int, end: int) -> ClientHello | None:
    """The ClientHello whose body (after the 4-byte handshake header) lies at `data[start:end]`; None if it is none."""
    if end - start < _FIXED or data[start] != 3:  # every version from SSL 3 on begins with 3
        return None
    legacy_version = _U16.unpack_from(data, start)[0]
    session_id = data[start + _FIXED - 1]
    at = start + _FIXED + session_id
    if session_id > _MAX_SESSION_ID or at + 2 > end:
        return None
    size = _U16.unpack_from(data, at)[0]
    at += 2
    if size < 2 or size & 1 or at + size + 1 > end:
        return None
    ciphers = unpack_from(f">{size >> 1}H", data, at)
    at += size
    compressions = data[at]
    at += 1 + compressions
    if not compressions or at > end:
        return None
    extensions: list[int] = []
    bodies: dict[int, tuple[int, int]] = {}
    if at < end:  # before TLS 1.3 there need not be any
        if at + 2 > end or at + 2 + _U16.unpack_from(data, at)[0] != end:
            return None
        at += 2
        while at < end:
            if at + 4 > end:
                return None
            number, size = _TWO_U16.unpack_from(data, at)
            at += 4
            if at + size > end:
                return None
            extensions.append(number)
            if number in _READ and number not in bodies:  # a second one is illegal (RFC 8446, 4.2): the first counts
                bodies[number] = (at, at + size)
            at += size
    return ClientHello(
        legacy_version=legacy_version,
        supported_versions=_numbers(data, bodies.get(_SUPPORTED_VERSIONS), 1),
        ciphers=ciphers,
        extensions=tuple(extensions),
        groups=_numbers(data, bodies.get(_GROUPS), 2),
        point_formats=_bytes(data, bodies.get(_POINT_FORMATS)),
        signature_algorithms=_numbers(data, bodies.get(_SIGNATURE_ALGORITHMS), 2),
        alpn_raw=_alpn(data, bodies.get(_ALPN)),
        sni_raw=_server_name(data, bodies.get(_SERVER_NAME)),
        length=_HANDSHAKE + end - start,
    )


def _numbers(data: bytes, body: tuple[int, int] | None, prefix: int) -> tuple[int, ...] | None:
    """A list of 16-bit numbers, not empty, behind its length in bytes, which itself takes `prefix` bytes (1 or 2)."""
    if body is None:
        return None
    at, end = body
    if at + prefix > end:
        return None
    size = data[at] if prefix == 1 else _U16.unpack_from(data, at)[0]
    at += prefix
    if not size or size & 1 or at + size != end:
        return None
    return unpack_from(f">{size >> 1}H", data, at)


def _bytes(data: bytes, body: tuple[int, int] | None) -> tuple[int, ...] | None:
    """A list of 8-bit numbers, not empty, behind its length."""
    if body is None:
        return None
    at, end = body
    if at + 1 >= end or at + 1 + data[at] != end:
        return None
    return tuple(data[at + 1 : end])


def _alpn(data: bytes, body: tuple[int, int] | None) -> tuple[bytes, ...] | None:
    """RFC 7301, 3.1: names behind their lengths, at least one, none of them empty."""
    if body is None:
        return None
    at, end = body
    if at + 2 > end or at + 2 + _U16.unpack_from(data, at)[0] != end:
        return None
    at += 2
    names: list[bytes] = []
    while at < end:
        size = data[at]
        at += 1
        if not size or at + size > end:
            return None
        names.append(bytes(data[at : at + size]))
        at += size
    return tuple(names) or None


def _server_name(data: bytes, body: tuple[int, int] | None) -> bytes | None:
    """RFC 6066, 3: the first entry of type host_name; other types are skipped by their length."""
    if body is None:
        return None
    at, end = body
    if at + 2 > end or at + 2 + _U16.unpack_from(data, at)[0] != end:
        return None
    at += 2
    while at + 3 <= end:
        kind, size = _U8_U16.unpack_from(data, at)
        at += 3
        if at + size > end:
            return None
        if kind == 0:
            return bytes(data[at : at + size]) or None
        at += size
    return None


class Tls:
    """The dissector."""

    __slots__ = ()

    name = "tls"
    transports = frozenset({"tcp"})
    repeats = False  # a second ClientHello (after HelloRetryRequest, or a renegotiation) is not looked for
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

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """Read a ClientHello.

        A box that does not join records (`reads.records` False) needs the whole handshake message inside the first
        record, and otherwise gives up as soon as the lengths say so; it does not fish for a name in half a message.
        """
        have = len(data)
        if have < _RECORD + _HANDSHAKE:
            return self._begin(data, reads)
        if data[0] != _CONTENT_HANDSHAKE or data[1] != 3:
            return NOT_MINE
        record = data[3] << 8 | data[4]
        if record > MAX_RECORD or not record:
            return NOT_MINE
        if record < _HANDSHAKE:
            return _join(data) if reads.records and data[5] == _CLIENT_HELLO else NOT_MINE
        length = data[6] << 16 | data[7] << 8 | data[8]
        if data[5] != _CLIENT_HELLO or length < _FIXED or length > MAX_HELLO - _HANDSHAKE:
            return NOT_MINE
        if length + _HANDSHAKE > record:
            return _join(data) if reads.records else NOT_MINE
        end = _RECORD + _HANDSHAKE + length
        if have < end:
            return need_more(end)
        hello = parse_hello(data, _RECORD + _HANDSHAKE, end)
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
            if not record or record > MAX_RECORD or (record < _HANDSHAKE and not reads.records):
                return NOT_MINE
        if have > 5 and data[5] != _CLIENT_HELLO:
            return NOT_MINE
        return need_more(have + 1)


def _join(data: bytes) -> Reading:
    """Read a hello that is spread over several records."""
    have = len(data)
    message = bytearray()
    missing = _HANDSHAKE + _FIXED  # bytes of the handshake message still to come, at least
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
        if not length and len(message) >= _HANDSHAKE:
            length = message[1] << 16 | message[2] << 8 | message[3]
            if length < _FIXED or length > MAX_HELLO - _HANDSHAKE:
                return NOT_MINE
            length += _HANDSHAKE
        missing = (length or _HANDSHAKE + _FIXED) - len(message)
        if length and missing <= 0:
            hello = parse_hello(bytes(message), _HANDSHAKE, length)
            return NOT_MINE if hello is None else found(hello, end + missing)
        left = at + record - end  # bytes of this record still to come
        at += record
        if left:
            return need_more(have + missing if missing <= left else at + _RECORD + missing - left)


DISSECTOR = Tls()
