"""A TLS 1.3 client whose hello is a recorded browser's (RFC 8446): what Python's own TLS cannot say.

Only what the lab's server answers with: X25519, AES in GCM, a certificate of two. It proves the server as any client
does, by its chain, its name, its signature and the hash of all that was said; it resumes nothing, and has no key
updates.
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Generator
from struct import pack
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock
from testbed.simulate.hellos import Hello
from testbed.simulate.tls import Carrying

#: suites that are spoken: the bytes of the key, and the hash
_SUITES: dict[int, tuple[int, hashes.HashAlgorithm]] = {0x1301: (16, hashes.SHA256()), 0x1302: (32, hashes.SHA384())}
_CHANGE, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23
_SERVER_HELLO, _CERTIFICATE, _VERIFY, _FINISHED = 2, 11, 15, 20
_KEY_SHARE, _RSA_PSS_SHA256 = 51, 0x0804
#: bytes of content in one record (RFC 8446, 5.1)
_RECORD = 16_384
_GOODBYE = b"\x01\x00"


class Imitated:
    """The client's end of a connection; `handshake` comes first."""

    def __init__(self, connection: Carrying, hello: Hello, clock: Clock, *, name: str, authority: str) -> None:
        self.connection = connection
        self._clock = clock
        self._hello = hello
        self._name = name
        self._authority = x509.load_pem_x509_certificate(authority.encode())
        self._left = b""
        self._messages = b""
        self._said = hello.record[5:]
        self._reads: _Sealing | None = None
        self._writes: _Sealing | None = None
        self._over = False

    def handshake(self, limit_s: float | None = None) -> Generator[Event, Any, None]:
        """Agree on keys. Raises ssl.SSLError, EOFError at an early end, and what breaks a connection."""
        until_ns = self._until(limit_s)
        yield from self.connection.send(self._hello.record)
        answer = yield from self._message(_SERVER_HELLO, until_ns)
        keys = _Schedule(answer, self._hello)
        ours, theirs = keys.handshake(self._said)
        self._reads = keys.sealing(theirs)
        yield from self._message(8, until_ns)  # EncryptedExtensions: which protocol, of one
        leaf = self._proven((yield from self._message(_CERTIFICATE, until_ns)))
        said = self._said
        self._verify(leaf, (yield from self._message(_VERIFY, until_ns)), keys.digest(said))
        said = self._said
        if not hmac.compare_digest((yield from self._message(_FINISHED, until_ns))[4:], keys.finished(theirs, said)):
            raise ssl.SSLError("the server's last word of the handshake is wrong")
        data = keys.application(self._said)
        proof = keys.finished(ours, self._said)
        finished = bytes((_FINISHED,)) + len(proof).to_bytes(3, "big") + proof
        # browsers send the change of ciphers of older versions, for the sake of old boxes (RFC 8446, appendix D.4)
        sealed = keys.sealing(ours).seal(_HANDSHAKE, finished)
        yield from self.connection.send(b"\x14\x03\x03\x00\x01\x01" + sealed)
        self._writes, self._reads = keys.sealing(data[0]), keys.sealing(data[1])

    def send(self, data: bytes, limit_s: float | None = None) -> Generator[Event, Any, None]:
        """Send bytes; waits as the connection does."""
        assert self._writes is not None
        parts = (data[at : at + _RECORD] for at in range(0, len(data), _RECORD))
        yield from self.connection.send(b"".join(self._writes.seal(_DATA, part) for part in parts), limit_s)

    def receive(self, limit_s: float | None = None) -> Generator[Event, Any, bytes]:
        """Wait for bytes and return a record's; b"" at the other end's end."""
        until_ns = self._until(limit_s)
        while not self._over:
            try:
                kind, content = yield from self._record(until_ns)
            except EOFError:
                self._over = True
                break
            if kind == _DATA and content:
                return content
        return b""

    def close(self) -> None:
        """Say goodbye, and end the connection."""
        if self._writes is not None:
            self.connection.put(self._writes.seal(_ALERT, _GOODBYE))
        self.connection.close()

    # -- what comes ---------------------------------------------------------------------------------------------------

    def _until(self, limit_s: float | None) -> int | None:
        return None if limit_s is None else self._clock.now_ns + round(limit_s * SECOND_NS)

    def _take(self, size: int, until_ns: int | None) -> Generator[Event, Any, bytes]:
        while len(self._left) < size:
            left_s = None if until_ns is None else max(0, until_ns - self._clock.now_ns) / SECOND_NS
            data = yield from self.connection.receive(left_s)
            if not data:
                raise EOFError("the connection ended in the middle of TLS")
            self._left += data
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def _record(self, until_ns: int | None) -> Generator[Event, Any, tuple[int, bytes]]:
        """The next record's kind and content, opened if keys are there."""
        head = yield from self._take(5, until_ns)
        kind = head[0]
        if kind not in (_CHANGE, _ALERT, _HANDSHAKE) and (kind != _DATA or self._reads is None):
            raise ssl.SSLError(f"a record of kind {kind} where TLS was expected")
        body = yield from self._take(int.from_bytes(head[3:], "big"), until_ns)
        if kind == _DATA and self._reads is not None:
            kind, body = self._reads.open(head, body)
        if kind == _ALERT and body == _GOODBYE:
            raise EOFError("the server said goodbye")
        if kind == _ALERT:
            raise ssl.SSLError(f"the server's alert {body[1:].hex()}")
        return kind, body

    def _message(self, kind: int, until_ns: int | None) -> Generator[Event, Any, bytes]:
        """The next message of the handshake, which must be of this kind."""
        while len(self._messages) < 4 or len(self._messages) < 4 + int.from_bytes(self._messages[1:4], "big"):
            of, content = yield from self._record(until_ns)
            self._messages += content if of == _HANDSHAKE else b""
        size = 4 + int.from_bytes(self._messages[1:4], "big")
        message, self._messages = self._messages[:size], self._messages[size:]
        if message[0] != kind:
            raise ssl.SSLError(f"a message of kind {message[0]} where {kind} was expected")
        self._said += message
        return message

    def _proven(self, message: bytes) -> x509.Certificate:
        """The server's certificate, if our authority has signed it for the name. Raises ssl.SSLCertVerificationError.

        RFC 8446, 4.4.2: after the header an empty context, the list's size, and the first certificate's size.
        """
        leaf = x509.load_der_x509_certificate(message[11 : 11 + int.from_bytes(message[8:11], "big")])
        try:
            leaf.verify_directly_issued_by(self._authority)
        except (InvalidSignature, ValueError, TypeError):
            raise _refused(20, "unable to get local issuer certificate") from None
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if self._name not in names.get_values_for_type(x509.DNSName):
            raise _refused(62, f"Hostname mismatch, certificate is not valid for '{self._name}'.")
        return leaf

    def _verify(self, leaf: x509.Certificate, message: bytes, digest: bytes) -> None:
        """RFC 8446, 4.4.3."""
        key = leaf.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or int.from_bytes(message[4:6], "big") != _RSA_PSS_SHA256:
            raise ssl.SSLError("a signature of a kind that no browser's hello asked for")
        signed = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + digest
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        try:
            key.verify(message[8:], signed, salted, hashes.SHA256())
        except InvalidSignature:
            raise ssl.SSLError("the server's signature is wrong") from None


def _refused(code: int, text: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, text)
    error.verify_code = code
    return error


class _Sealing:
    """One direction's key (RFC 8446, 5.2 and 5.3)."""

    def __init__(self, key: bytes, vector: bytes) -> None:
        self._cipher = AESGCM(key)
        self._vector = int.from_bytes(vector, "big")
        self._count = 0

    def _nonce(self) -> bytes:
        self._count += 1
        return (self._vector ^ (self._count - 1)).to_bytes(12, "big")

    def seal(self, kind: int, content: bytes) -> bytes:
        head = pack("!BHH", _DATA, 0x0303, len(content) + 17)
        return head + self._cipher.encrypt(self._nonce(), content + bytes((kind,)), head)

    def open(self, head: bytes, body: bytes) -> tuple[int, bytes]:
        try:
            plain = self._cipher.decrypt(self._nonce(), body, head).rstrip(b"\0")
        except InvalidTag:
            raise ssl.SSLError("decryption failed or bad record mac") from None
        return plain[-1], plain[:-1]


class _Schedule:
    """The keys of a connection, from the server's hello on (RFC 8446, 7.1)."""

    def __init__(self, answer: bytes, hello: Hello) -> None:
        """`answer`: header (4), version (2), random (32), session, suite (2), compression (1), extensions."""
        at = 39 + answer[38]
        suite = int.from_bytes(answer[at : at + 2], "big")
        if suite not in _SUITES:
            raise ssl.SSLError(f"the server chose the suite {suite:04x}, and not AES in GCM of TLS 1.3")
        self._size, self._hash = _SUITES[suite]
        self._shared = hello.key.exchange(X25519PublicKey.from_public_bytes(_share(answer[at + 5 :])))
        self._master = b""

    def digest(self, data: bytes) -> bytes:
        hashed = hashes.Hash(self._hash)
        hashed.update(data)
        return hashed.finalize()

    def handshake(self, said: bytes) -> tuple[bytes, bytes]:
        """The secrets of the handshake: the client's and the server's."""
        none = bytes(self._hash.digest_size)
        early = self._extract(none, none)
        secret = self._extract(self._label(early, "derived", self.digest(b"")), self._shared)
        self._master = self._extract(self._label(secret, "derived", self.digest(b"")), none)
        return self._pair(secret, "hs", said)

    def application(self, said: bytes) -> tuple[bytes, bytes]:
        """The secrets of what follows."""
        return self._pair(self._master, "ap", said)

    def finished(self, secret: bytes, said: bytes) -> bytes:
        """The proof that somebody knows all that was said (RFC 8446, 4.4.4)."""
        return self._mac(self._label(secret, "finished", b""), self.digest(said))

    def sealing(self, secret: bytes) -> _Sealing:
        return _Sealing(self._label(secret, "key", b"", self._size), self._label(secret, "iv", b"", 12))

    def _pair(self, secret: bytes, which: str, said: bytes) -> tuple[bytes, bytes]:
        digest = self.digest(said)
        return self._label(secret, f"c {which} traffic", digest), self._label(secret, f"s {which} traffic", digest)

    def _mac(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, self._hash.name)

    _extract = _mac  # RFC 5869, 2.2: the salt is the key

    def _label(self, secret: bytes, label: str, context: bytes, size: int = 0) -> bytes:
        size = size or self._hash.digest_size
        words = b"tls13 " + label.encode()
        info = pack("!HB", size, len(words)) + words + bytes((len(context),)) + context
        return HKDFExpand(self._hash, size, info).derive(secret)


def _share(extensions: bytes) -> bytes:
    """The server's key: the group (2), its size (2), and the key itself."""
    at = 0
    while at + 4 <= len(extensions):
        kind, size = int.from_bytes(extensions[at : at + 2], "big"), int.from_bytes(extensions[at + 2 : at + 4], "big")
        if kind == _KEY_SHARE and size == 36:
            return extensions[at + 8 : at + 40]
        at += 4 + size
    raise ssl.SSLError("the server sent no key for X25519")
