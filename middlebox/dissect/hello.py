"""The ClientHello itself: what a client offers, read from the body of the handshake message.

Knows nothing of records, segments or QUIC, which carry it; decrypts nothing, and does not judge what is offered. A
hello whose own lengths do not add up is none; an extension whose body does not parse counts as sent, and what it would
have told stays absent.

Sources: RFC 8446 sections 4.1.2, 4.2; RFC 6066 section 3 (server_name); RFC 7301 (ALPN); RFC 8701 (GREASE);
RFC 9849 (ECH, 0xfe0d); draft-ietf-tls-esni-02 (ESNI, 0xffce).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, unpack_from

from middlebox.dissect.base import Fact
from middlebox.dissect.ja import GREASE, ja3, ja4

#: bytes of a handshake message before its body: type, 24-bit length
HANDSHAKE_HEADER = 4
#: bytes that every body has: legacy version, random, and the length of the session ID
SHORTEST_BODY = 35

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
        return self.ja4_over("t")

    def ja4_over(self, transport: str) -> str:
        """JA4 fingerprint over TCP ("t") or QUIC ("q")."""
        alpn = self.alpn_raw[0] if self.alpn_raw else b""
        return ja4(transport, self.versions, self.ciphers, self.extensions, alpn, self.signature_algorithms or ())


def parse_hello(data: bytes, start: int, end: int) -> ClientHello | None:
    """The ClientHello whose body (after the 4-byte handshake header) lies at `data[start:end]`; None if it is none."""
    if end - start < SHORTEST_BODY or data[start] != 3:  # every version from SSL 3 on begins with 3
        return None
    legacy_version = _U16.unpack_from(data, start)[0]
    session_id = data[start + SHORTEST_BODY - 1]
    at = start + SHORTEST_BODY + session_id
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
        length=HANDSHAKE_HEADER + end - start,
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
