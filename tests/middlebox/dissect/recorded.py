"""The recorded ClientHellos, and ways to cut them into records."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "data" / "hellos"
HELLOS: dict[str, bytes] = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.bin"))}
SMALL = HELLOS["python-tls12"]


def record(fragment: bytes, *, kind: int = 22) -> bytes:
    return bytes((kind, 3, 1)) + len(fragment).to_bytes(2, "big") + fragment


def in_records(hello: bytes, cuts: Iterable[int]) -> bytes:
    """The same handshake message in more records: `cuts` are places within the message."""
    message = hello[5:]
    places = [0, *sorted(set(cuts)), len(message)]
    return b"".join(record(message[low:high]) for low, high in pairwise(places))


def message(body: bytes) -> bytes:
    """A ClientHello body as one record."""
    return record(b"\x01" + len(body).to_bytes(3, "big") + body)


def extension(number: int, body: bytes) -> bytes:
    return number.to_bytes(2, "big") + len(body).to_bytes(2, "big") + body


def body(*extensions: bytes, ciphers: bytes = b"\x13\x01", session: bytes = b"", rest: bytes = b"") -> bytes:
    """A ClientHello body, written down from RFC 8446, 4.1.2."""
    block = b"".join(extensions)
    return (
        b"\x03\x03"
        + bytes(range(32))
        + bytes((len(session),))
        + session
        + len(ciphers).to_bytes(2, "big")
        + ciphers
        + b"\x01\x00"
        + len(block).to_bytes(2, "big")
        + block
        + rest
    )


def names(*entries: tuple[int, bytes]) -> bytes:
    """A server_name extension with entries of (type, name): RFC 6066, 3."""
    listed = b"".join(bytes((kind,)) + len(name).to_bytes(2, "big") + name for kind, name in entries)
    return extension(0, len(listed).to_bytes(2, "big") + listed)
