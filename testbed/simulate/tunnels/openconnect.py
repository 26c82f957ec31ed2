"""AnyConnect's DTLS half (RFC 6347, 4), as ocserv and openconnect spoke it in a lab: a hello with the session that TLS
has told, no certificates, then records of data.

The TLS half before it is real (`prelude` in `datagrams`); without DTLS the client waits on, longer than people do.
"""

from __future__ import annotations

from random import Random

from testbed.simulate.tunnels.shape import DOWN, UP, Said, Sealing, Times

PORT = 443
_HANDSHAKE, _CHANGE, _DATA = 22, 20, 23
_OLD, _NEW = b"\xfe\xff", b"\xfe\xfd"  # DTLS 1.0, 1.2
#: suites and extensions as GnuTLS offers them for this, in their order
_SUITES = bytes.fromhex("00a9ccabc0a5008d00a8c0a4008c00ae")
_EXTENSIONS = bytes.fromhex(
    "000d00220020040108090804040308070501080a0805050308080601080b080606030201020300230000ff01000100001c00024000"
)
_SERVER = bytes.fromhex("00a900000bff01000100001c00024000")
_NONCE = 8
#: bytes of the record's and the nonce's and the message's type
_TYPE = 1


def _record(kind: int, version: bytes, epoch: int, number: int, body: bytes) -> bytes:
    head = bytes([kind]) + version + epoch.to_bytes(2, "big") + number.to_bytes(6, "big")
    return head + len(body).to_bytes(2, "big") + body


def _message(kind: int, number: int, body: bytes) -> bytes:
    size = len(body).to_bytes(3, "big")
    return bytes([kind]) + size + number.to_bytes(2, "big") + bytes(3) + size + body


class Conversation:
    """One session; see `shape.Conversation`."""

    data_port = PORT

    def __init__(self, random: Random) -> None:
        self._sealing = Sealing(random)
        session = random.randbytes(32)
        hello = _NEW + random.randbytes(32) + bytes([32]) + session + b"\0"
        hello += (
            len(_SUITES).to_bytes(2, "big") + _SUITES + b"\x01\0" + len(_EXTENSIONS).to_bytes(2, "big") + _EXTENSIONS
        )
        chosen = _NEW + random.randbytes(32) + bytes([32]) + random.randbytes(32) + _SERVER
        finish = _record(_HANDSHAKE, _NEW, 1, 0, random.randbytes(48))
        change = _record(_CHANGE, _NEW, 0, 2, b"\x01")
        key = _record(_HANDSHAKE, _NEW, 0, 1, _message(16, 1, b"\0\x03psk"))
        self.script = (
            Said(UP, _record(_HANDSHAKE, _OLD, 0, 0, _message(1, 0, hello)), PORT),
            Said(DOWN, _record(_HANDSHAKE, _NEW, 0, 0, _message(2, 0, chosen)), PORT),
            Said(DOWN, _record(_HANDSHAKE, _NEW, 0, 1, _message(14, 1, b"")), PORT),
            Said(UP, key + change + finish, PORT),
            Said(DOWN, change, PORT),
            Said(DOWN, _record(_HANDSHAKE, _NEW, 1, 0, random.randbytes(48)), PORT),
        )

    def seal(self, up: bool, inner: bytes) -> bytes:
        number = self._sealing.next(up) + 1
        nonce = number.to_bytes(_NONCE, "big")
        kind = b"\x00" if inner else b"\x03"  # data, or a question whether one is there
        return _record(_DATA, _NEW, 1, number, nonce + self._sealing.seal(up, number, kind + inner))

    def open(self, up: bool, message: bytes) -> bytes | None:
        if len(message) < 13 + _NONCE + Sealing.TAG + _TYPE or message[0] != _DATA:
            return None
        inner = self._sealing.open(up, int.from_bytes(message[13 : 13 + _NONCE], "big"), message[13 + _NONCE :])
        return None if inner is None else inner[_TYPE:]

    def answer(self, message: bytes) -> bytes:
        return self.seal(DOWN, b"")


class OpenConnectShape:
    """See `shape.Shape`."""

    ports = (PORT,)
    mtu = 1_400
    times = Times(retries=(1.0, 2.0, 4.0, 8.0, 16.0, 32.0), again=(60.0,), quiet=5.0, dead=15.0)
    own_port = False
    counts = True
    waits = False

    def converse(self, random: Random, client: int) -> Conversation:
        return Conversation(random)
