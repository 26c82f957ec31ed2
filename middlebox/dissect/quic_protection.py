"""Protection of QUIC Initial packets: its removal, by keys that anybody can derive from what the client shows.

The one module of the engine that stands on a library: `cryptography`, for AES. HMAC is written out: `hmac.digest` takes
twice as long, and a packet's keys need five. It protects nothing, keeps nothing between two calls, and knows no other
packets' keys: those are secret.

Sources: RFC 9001 sections 5.2 to 5.4 and appendix A (version 1); RFC 9369 section 3.3 (version 2); RFC 2104 (HMAC);
RFC 5869 (HKDF); RFC 8446 section 7.1 (HKDF-Expand-Label).
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

V1 = 0x00000001
V2 = 0x6B3343CF

#: bytes from the start of the packet number to the sample for header protection (RFC 9001, 5.4.2)
SAMPLE_OFFSET = 4
SAMPLE = 16
TAG = 16

#: bits of the first byte that are protected in a long header (RFC 9001, 5.4.1)
_PROTECTED = 0x0F
_NUMBER_LENGTH = 0x03


def _label(label: bytes, length: int) -> bytes:
    """The whole message of an HKDF-Expand-Label of at most 32 bytes: one block, whose counter is its last byte."""
    name = b"tls13 " + label
    return length.to_bytes(2, "big") + bytes((len(name),)) + name + b"\x00\x01"


_INNER = bytes(code ^ 0x36 for code in range(256))
_OUTER = bytes(code ^ 0x5C for code in range(256))


def _pads(key: bytes) -> tuple[bytes, bytes]:
    """HMAC's two keys of a key of at most 64 bytes."""
    block = key.ljust(64, b"\x00")
    return block.translate(_INNER), block.translate(_OUTER)


def _mac(pads: tuple[bytes, bytes], message: bytes) -> bytes:
    """HMAC with SHA-256."""
    return sha256(pads[1] + sha256(pads[0] + message).digest()).digest()


_CLIENT = _label(b"client in", 32)
_SALTS = {
    V1: _pads(bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")),
    V2: _pads(bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")),
}
_LABELS = {
    V1: (_label(b"quic key", 16), _label(b"quic iv", 12), _label(b"quic hp", 16)),
    V2: (_label(b"quicv2 key", 16), _label(b"quicv2 iv", 12), _label(b"quicv2 hp", 16)),
}


class InitialKeys:
    """What opens a client's Initial packets of one version whose first destination connection ID was this one."""

    __slots__ = ("_aead", "_iv", "_mask", "dcid", "version")

    def __init__(self, version: int, dcid: bytes) -> None:
        """Derive the keys; raises KeyError for a version other than `V1` and `V2`."""
        self.version = version
        self.dcid = dcid
        secret = _pads(_mac(_pads(_mac(_SALTS[version], dcid)), _CLIENT))
        key, iv, hp = [_mac(secret, label) for label in _LABELS[version]]
        self._aead = AESGCM(key[:16])
        self._iv = int.from_bytes(iv[:12], "big")
        self._mask = Cipher(AES(hp[:16]), ECB()).encryptor()

    def open(self, data: bytes, start: int, number_at: int, end: int) -> bytes | None:
        """The frames of the packet at `data[start:end]`, whose packet number begins at `number_at`.

        None if the authentication tag is wrong. The number is taken to be what the packet shows of it: numbers of
        Initial packets begin at 0 (RFC 9000, 12.3), and so few of them are read that none is shortened.
        """
        sample = number_at + SAMPLE_OFFSET
        if sample + SAMPLE > end:
            return None
        mask = self._mask.update(data[sample : sample + SAMPLE])
        first = data[start] ^ mask[0] & _PROTECTED
        length = (first & _NUMBER_LENGTH) + 1
        number_end = number_at + length
        number = int.from_bytes(data[number_at:number_end], "big") ^ int.from_bytes(mask[1 : 1 + length], "big")
        header = bytes((first,)) + data[start + 1 : number_at] + number.to_bytes(length, "big")
        try:
            return self._aead.decrypt((self._iv ^ number).to_bytes(12, "big"), data[number_end:end], header)
        except InvalidTag:
            return None
