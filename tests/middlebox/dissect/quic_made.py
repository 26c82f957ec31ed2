"""QUIC datagrams for tests: by aioquic's client, and packet by packet on top of `cryptography`'s own HKDF."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.middlebox.dissect.recorded import body, extension, names

FOLDER = Path(__file__).parents[2] / "data" / "quic"
V1, V2 = 0x00000001, 0x6B3343CF
SALTS = {V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9"}
#: RFC 9001, A and RFC 9369, A: the client's first destination connection ID
DCID = bytes.fromhex("8394c8f03e515708")
#: RFC 9001, A.2 (the same in RFC 9369): the CRYPTO frame of the client's Initial
RFC_FRAME = bytes.fromhex(
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868"
    "04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578"
    "616d706c652e636f6dff01000100000a00080006001d00170018001000070005"
    "04616c706e000500050100000000003300260024001d00209370b2c9caa47fba"
    "baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400"
    "0d0010000e0403050306030203080408050806002d00020101001c0002400100"
    "3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000"
    "75300901100f088394c8f03e51570806048000ffff"
)


def number(value: int, length: int = 0) -> bytes:
    """A variable-length integer; `length` 1, 2, 4 or 8 asks for more bytes than needed."""
    for prefix, size in enumerate((1, 2, 4, 8)):
        if value < 1 << (8 * size - 2) and size >= length:
            return (prefix << (8 * size - 2) | value).to_bytes(size, "big")
    raise ValueError(value)


def crypto(offset: int, data: bytes) -> bytes:
    """A CRYPTO frame."""
    return b"\x06" + number(offset) + number(len(data)) + data


def message(name: bytes = b"blocked.example", *more: bytes) -> bytes:
    """A small ClientHello with its handshake header."""
    hello = body(names((0, name)), *more)
    return b"\x01" + len(hello).to_bytes(3, "big") + hello


def _expand(secret: bytes, label: bytes, length: int) -> bytes:
    info = length.to_bytes(2, "big") + bytes((len(label) + 6,)) + b"tls13 " + label + b"\x00"
    return HKDFExpand(SHA256(), length, info).derive(secret)


def client_secret(version: int, dcid: bytes) -> bytes:
    extract = HMAC(bytes.fromhex(SALTS[version]), SHA256())
    extract.update(dcid)
    return _expand(extract.finalize(), b"client in", 32)


def keys_of(version: int, dcid: bytes) -> tuple[bytes, bytes, bytes]:
    """Key, IV and header protection key of a client's Initials."""
    secret = client_secret(version, dcid)
    prefix = b"quic" if version == V1 else b"quicv2"
    return tuple(_expand(secret, prefix + word, size) for word, size in ((b" key", 16), (b" iv", 12), (b" hp", 16)))  # type: ignore[return-value]


def initial(
    frames: bytes,
    *,
    version: int = V1,
    dcid: bytes = DCID,
    scid: bytes = b"",
    token: bytes = b"",
    packet: int = 0,
    number_length: int = 1,
    of: bytes | None = None,
    size: int = 0,
) -> bytes:
    """A protected Initial packet; `of`: the connection ID that its keys come from; `size`: pad it to so many bytes."""
    key, iv, hp = keys_of(version, dcid if of is None else of)
    kind = {V1: 0, V2: 1}[version]
    first = 0xC0 | kind << 4 | number_length - 1

    def header(length: int) -> bytes:
        return (
            bytes((first,))
            + version.to_bytes(4, "big")
            + bytes((len(dcid),))
            + dcid
            + bytes((len(scid),))
            + scid
            + number(len(token))
            + token
            + number(length, 2)
            + packet.to_bytes(number_length, "big")
        )

    frames += bytes(max(0, 4 - number_length - len(frames), size - len(header(0)) - len(frames) - 16))
    plain = header(number_length + len(frames) + 16)
    nonce = (int.from_bytes(iv, "big") ^ packet).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, frames, plain)
    at = len(plain) - number_length
    sample = (plain + sealed)[at + 4 : at + 20]
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sample)
    masked = bytes(a ^ b for a, b in zip(plain[at:], mask[1:], strict=False))
    return bytes((plain[0] ^ mask[0] & 0x0F,)) + plain[1:at] + masked + sealed


def long_packet(kind: int, *, version: int = V1, dcid: bytes = DCID, scid: bytes = b"", rest: bytes = b"") -> bytes:
    """A packet with a long header of another kind: its type bits, and what comes behind the connection IDs."""
    head = bytes((0xC0 | kind << 4,)) + version.to_bytes(4, "big")
    return head + bytes((len(dcid),)) + dcid + bytes((len(scid),)) + scid + rest


def client(name: str = "blocked.example", *, alpn: tuple[str, ...] = ("h3",), version: int = V1) -> QuicConnection:
    """aioquic's client, about to send its first flight."""
    configuration = QuicConfiguration(is_client=True, server_name=name, alpn_protocols=list(alpn))
    configuration.original_version = version
    configuration.supported_versions = [version]
    connection = QuicConnection(configuration=configuration)
    connection.connect(("203.0.113.5", 443), now=0.0)
    return connection


def sent(connection: QuicConnection, now: float = 0.0) -> list[bytes]:
    return [data for data, _ in connection.datagrams_to_send(now=now)]


@cache
def flight(name: str = "blocked.example", alpn: tuple[str, ...] = ("h3",), version: int = V1) -> tuple[bytes, ...]:
    """The datagrams of a client's first flight."""
    return tuple(sent(client(name, alpn=alpn, version=version)))


#: application protocols that make a ClientHello of about 2,000 bytes
MANY = tuple(f"protocol-number-{n:03}-of-many" for n in range(60))
LARGE = extension(0x1234, bytes(range(256)) * 6)
#: the first two datagrams of browsers' HTTP/3 (tests/data/quic)
RECORDED: dict[str, tuple[bytes, ...]] = {
    name: tuple((FOLDER / f"{name}-{index}.bin").read_bytes() for index in (1, 2))
    for name in ("chrome146", "firefox147", "safari2601")
}
