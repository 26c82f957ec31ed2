"""What a tunnel looks like from outside, as values: its handshake, its data messages, its times.

Keys are no secrets here: both ends draw them from the seed. So a message is real to anybody who has no key, and is
opened by the end that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

UP, DOWN = True, False  #: from the client to the server, and back


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a handshake."""

    up: bool  #: the client's
    raw: bytes
    port: int  #: of the server


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When an end speaks though it has nothing to say, and when it gives up. Seconds."""

    retries: tuple[
        float, ...
    ]  #: waits after which the client says its last messages again; then it gives the attempt up
    again: tuple[float, ...] = (0.0,)  #: before the next attempts; the last one for all further ones
    ping: float = 0.0  #: the client says something after so long without having sent anything; 0: never
    server_ping: float = 0.0
    quiet: float = 0.0  #: the client speaks if it has heard nothing for so long; 0: never
    dead: float = 0.0  #: it begins anew if it has heard nothing for so long; 0: never
    unanswered: float = 0.0  #: or if it has sent something that was not answered for so long; 0: never


class Conversation(Protocol):
    """One session of a protocol: its bytes."""

    @property
    def script(self) -> Sequence[Said]:
        """The messages of the handshake, in their order."""

    @property
    def data_port(self) -> int: ...
    def seal(self, up: bool, inner: bytes) -> bytes:
        """A data message with this packet; b"" is one that only says that one is there."""

    def open(self, up: bool, message: bytes) -> bytes | None:
        """The packet in a data message; b"" if there is none in it, None if it is no data message of this session."""

    def answer(self, message: bytes) -> bytes:
        """What the other end says to a question of this kind; b"" if it is none."""


class Shape(Protocol):
    """One protocol."""

    @property
    def ports(self) -> tuple[int, ...]: ...  #: the server's; of UDP unless `framed`
    @property
    def mtu(self) -> int: ...  #: bytes of the longest packet inside
    @property
    def times(self) -> Times: ...
    @property
    def own_port(self) -> bool: ...  #: the client comes from the server's port, and not from any
    @property
    def counts(self) -> bool: ...  #: it tells when it has connected anew
    @property
    def waits(self) -> bool: ...  #: packets from inside wait until there are keys, instead of being lost
    def converse(self, random: Random, client: int) -> Conversation:
        """A session of the client with this number."""


class Sealing:
    """Two keys, and how many messages each has sealed (RFC 8439)."""

    TAG = 16

    def __init__(self, random: Random) -> None:
        self._keys = {way: ChaCha20Poly1305(random.randbytes(32)) for way in (UP, DOWN)}
        self.counts = {UP: 0, DOWN: 0}

    def seal(self, up: bool, number: int, data: bytes) -> bytes:
        return self._keys[up].encrypt(number.to_bytes(12, "little"), data, None)

    def open(self, up: bool, number: int, data: bytes) -> bytes | None:
        try:
            return self._keys[up].decrypt(number.to_bytes(12, "little"), data, None)
        except InvalidTag:
            return None

    def next(self, up: bool) -> int:
        """The number of the next message, from 0."""
        number = self.counts[up]
        self.counts[up] = number + 1
        return number
