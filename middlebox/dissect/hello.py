"""The ClientHello itself: what a client offers, read from the body of the handshake message.

Knows nothing of records, segments or QUIC, which carry it; decrypts nothing, and does not judge what is offered. A
hello whose own lengths do not add up is none; an extension whose body does not parse counts as sent, and what it would
have told stays absent.

Sources: RFC 8446 sections 4.1.2, 4.2; RFC 6066 section 3 (server_name); RFC 7301 (ALPN); RFC 8701 (GREASE);
RFC 9849 (ECH, 0xfe0d); draft-ietf-tls-esni-02 (ESNI, 0xffce).
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final

from middlebox.dissect.base import Fact
from middlebox.dissect.ja import GREASE, ja3, ja4

#: bytes of a handshake message before its body: type, 24-bit length
HANDSHAKE_HEADER: Final = 4
#: bytes that every body has: legacy version, random, and the length of the session ID
SHORTEST_BODY: Final = 35

#: RFC 8446, 4.1.2: legacy_session_id<0..32>
_MAX_SESSION_ID: Final = 32

_SERVER_NAME: Final = 0
_GROUPS: Final = 10
_POINT_FORMATS: Final = 11
_SIGNATURE_ALGORITHMS: Final = 13
_ALPN: Final = 16
_SUPPORTED_VERSIONS: Final = 43
_ECH: Final = 0xFE0D
_ESNI: Final = 0xFFCE

_VERSION_WORDS: Final = {0x0300: "ssl3", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}


class ClientHello(Fact):
    """What a client offers, in the order of the wire; lists of numbers keep their GREASE values.

    Its lengths have been found to add up; what it tells is read when somebody asks, for most of it nobody does.
    """

    __slots__ = ("_body", "_ciphers", "_extensions", "legacy_version", "length")

    def __init__(self, body: bytes, ciphers: int, extensions: int) -> None:
        self._body = body  # of the handshake message
        self._ciphers = ciphers  # where their length stands in it
        self._extensions = extensions  # where the first one begins
        self.legacy_version = body[0] << 8 | body[1]
        self.length = HANDSHAKE_HEADER + len(body)  #: bytes of the handshake message, its 4-byte header included

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClientHello) and self._body == other._body

    def __hash__(self) -> int:
        return hash(self._body)

    @property
    def ciphers(self) -> tuple[int, ...]:
        body, at = self._body, self._ciphers
        return unpack_from(f">{(body[at] << 8 | body[at + 1]) >> 1}H", body, at + 2)

    @property
    def extensions(self) -> tuple[int, ...]:
        """Numbers of all extensions."""
        body, at = self._body, self._extensions
        numbers: list[int] = []
        while at < len(body):
            numbers.append(body[at] << 8 | body[at + 1])
            at += 4 + (body[at + 2] << 8 | body[at + 3])
        return tuple(numbers)

    def _extension(self, number: int) -> bytes | None:
        """The body of the first extension of a number, if there is one; a second is illegal (RFC 8446, 4.2)."""
        body, at = self._body, self._extensions
        high, low = number >> 8, number & 0xFF
        while at < len(body):
            size = body[at + 2] << 8 | body[at + 3]
            if body[at + 1] == low and body[at] == high:
                return body[at + 4 : at + 4 + size]
            at += 4 + size
        return None

    @property
    def supported_versions(self) -> tuple[int, ...] | None:
        """None, here and below: the extension is absent or does not parse."""
        return _numbers(self._extension(_SUPPORTED_VERSIONS), 1)

    @property
    def groups(self) -> tuple[int, ...] | None:
        return _numbers(self._extension(_GROUPS), 2)

    @property
    def point_formats(self) -> tuple[int, ...] | None:
        return _bytes(self._extension(_POINT_FORMATS))

    @property
    def signature_algorithms(self) -> tuple[int, ...] | None:
        return _numbers(self._extension(_SIGNATURE_ALGORITHMS), 2)

    @property
    def alpn_raw(self) -> tuple[bytes, ...] | None:
        return _alpn(self._extension(_ALPN))

    @property
    def sni_raw(self) -> bytes | None:
        """The first host_name, as sent."""
        return _server_name(self._extension(_SERVER_NAME))

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
    body = data[start:end]
    end -= start
    session_id = body[SHORTEST_BODY - 1]
    at = SHORTEST_BODY + session_id
    if session_id > _MAX_SESSION_ID or at + 2 > end:
        return None
    size = body[at] << 8 | body[at + 1]
    at += 2
    if size < 2 or size & 1 or at + size + 1 > end:
        return None
    ciphers = at - 2
    at += size
    compressions = body[at]
    at += 1 + compressions
    if not compressions or at > end:
        return None
    extensions = end
    if at < end:  # before TLS 1.3 there need not be any
        if at + 2 > end or at + 2 + (body[at] << 8 | body[at + 1]) != end:
            return None
        at += 2
        extensions = at
        while at + 4 <= end:
            at += 4 + (body[at + 2] << 8 | body[at + 3])
        if at != end:
            return None
    return ClientHello(body, ciphers, extensions)


def _numbers(body: bytes | None, prefix: int) -> tuple[int, ...] | None:
    """A list of 16-bit numbers, not empty, behind its length in bytes, which itself takes `prefix` bytes (1 or 2)."""
    if body is None or len(body) < prefix:
        return None
    size = body[0] if prefix == 1 else body[0] << 8 | body[1]
    if not size or size & 1 or prefix + size != len(body):
        return None
    return unpack_from(f">{size >> 1}H", body, prefix)


def _bytes(body: bytes | None) -> tuple[int, ...] | None:
    """A list of 8-bit numbers, not empty, behind its length."""
    if body is None or len(body) < 2 or 1 + body[0] != len(body):
        return None
    return tuple(body[1:])


def _alpn(body: bytes | None) -> tuple[bytes, ...] | None:
    """RFC 7301, 3.1: names behind their lengths, at least one, none of them empty."""
    if body is None or len(body) < 2 or 2 + (body[0] << 8 | body[1]) != len(body):
        return None
    at = 2
    names: list[bytes] = []
    while at < len(body):
        size = body[at]
        at += 1
        if not size or at + size > len(body):
            return None
        names.append(body[at : at + size])
        at += size
    return tuple(names) or None


def _server_name(body: bytes | None) -> bytes | None:
    """RFC 6066, 3: the first entry of type host_name; other types are skipped by their length."""
    if body is None or len(body) < 2 or 2 + (body[0] << 8 | body[1]) != len(body):
        return None
    at = 2
    while at + 3 <= len(body):
        kind, size = body[at], body[at + 1] << 8 | body[at + 2]
        at += 3
        if at + size > len(body):
            return None
        if kind == 0:
            return body[at : at + size] or None
        at += size
    return None
