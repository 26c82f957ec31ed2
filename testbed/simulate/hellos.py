"""The ClientHellos of browsers, recorded once (`data/hellos.json` says how), made anew for each connection.

What a browser draws for each connection is drawn: random, session, key, and the order of extensions where it shuffles
them. All else is as recorded, the post-quantum key that makes these hellos span two TCP segments included: nobody has
its secret half, so a server must choose X25519.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: TLS extensions (RFC 8446, 4.2; RFC 6066, 3) and the group of the key that is ours
_SERVER_NAME, _KEY_SHARE, _X25519 = 0, 51, 0x001D


@dataclass(frozen=True, slots=True)
class Hello:
    """A hello, ready to be sent."""

    record: bytes  #: with the record's own header
    key: X25519PrivateKey


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A hello in its parts."""

    before: bytes  #: the version
    after: bytes  #: cipher suites and compression
    extensions: tuple[tuple[int, bytes], ...]
    permutes: bool


def known() -> tuple[str, ...]:
    """The browsers that there are."""
    return tuple(_library())


def make(browser: str, name: str, random: Random) -> Hello:
    """A browser's hello for this host name. Raises ValueError for a browser that was not recorded."""
    recorded = _library().get(browser)
    if recorded is None:
        raise ValueError(f"no hello of '{browser}' was recorded (there are: {', '.join(known())})")
    key = X25519PrivateKey.from_private_bytes(random.randbytes(32))
    share = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    extensions = []
    for kind, content in recorded.extensions:
        if kind == _SERVER_NAME:
            content = _sized(2, b"\0" + _sized(2, name.encode("ascii")))
        elif kind == _KEY_SHARE:
            content = _with_share(content, share)
        extensions.append(kind.to_bytes(2, "big") + _sized(2, content))
    if recorded.permutes:  # all but the first and the last, which are there to be ignored (RFC 8701)
        middle = extensions[1:-1]
        random.shuffle(middle)
        extensions[1:-1] = middle
    drawn = random.randbytes(32) + _sized(1, random.randbytes(32))
    body = recorded.before + drawn + recorded.after + _sized(2, b"".join(extensions))
    return Hello(b"\x16\x03\x01" + _sized(2, b"\x01" + _sized(3, body)), key)


@cache
def _library() -> dict[str, _Recorded]:
    text = (resources.files("testbed.simulate") / "data" / "hellos.json").read_text(encoding="utf-8")
    found = json.loads(text)
    return {
        name: _parts(bytes.fromhex("".join(one["record"])), bool(one["permutes"]))
        for name, one in found.items()
        if name != "about"
    }


def _parts(record: bytes, permutes: bool) -> _Recorded:
    """Take a record apart: header (5), handshake header (4), version (2), random (32), and what has a length."""
    at = 43 + 1 + record[43]
    end = at + 2 + int.from_bytes(record[at : at + 2], "big")
    end += 1 + record[end]
    extensions = []
    place = end + 2
    while place < len(record):
        kind, size = (
            int.from_bytes(record[place : place + 2], "big"),
            int.from_bytes(record[place + 2 : place + 4], "big"),
        )
        extensions.append((kind, record[place + 4 : place + 4 + size]))
        place += 4 + size
    return _Recorded(record[9:11], record[at:end], tuple(extensions), permutes)


def _with_share(content: bytes, share: bytes) -> bytes:
    """The key shares with ours in place of the recorded one of X25519."""
    made, at = b"", 2
    while at < len(content):
        group, size = int.from_bytes(content[at : at + 2], "big"), int.from_bytes(content[at + 2 : at + 4], "big")
        key = share if group == _X25519 else content[at + 4 : at + 4 + size]
        made += group.to_bytes(2, "big") + _sized(2, key)
        at += 4 + size
    return _sized(2, made)


def _sized(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content
