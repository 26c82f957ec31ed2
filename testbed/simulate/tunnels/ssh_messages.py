"""What `ssh` says: its line, its key exchange by lengths, and messages inside it (RFC 4253, sections 4.2, 6 and 7).

The lengths are those that OpenSSH 9.2 showed in a lab; what they carry before the login means nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

from simpy.events import Event

from testbed.simulate.tcp import Connection
from testbed.simulate.tunnels.carriers import skip
from testbed.simulate.tunnels.shape import DOWN, UP, Sealing

LINE = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n"
#: bytes of the messages after the lines: who, how many. Algorithms, keys, services, the user's key, all is well
_OPENING = (
    (UP, 1_560),
    (DOWN, 1_088),
    (UP, 1_208),
    (DOWN, 1_544),
    (UP, 16),
    (UP, 44),
    (DOWN, 44),
    (UP, 68),
    (DOWN, 52),
    (UP, 372),
    (DOWN, 332),
    (UP, 644),
    (DOWN, 28),
)
OPEN, DATA, END, THERE, YES, REFUSED = range(6)  # kinds of message inside
_HEAD = 4
#: bytes in one message (channel packets are 32 kB)
MOST = 16_384


class Messages:
    """One direction of a connection: encrypted lengths, and messages under a key."""

    def __init__(self, key: bytes, up: bool) -> None:
        self._sealing = Sealing(Random(key))
        self._masks = Random(key + bytes([up]))
        self._up = up
        self._left = b""
        self._due = -1

    def seal(self, kind: int, channel: int, data: bytes = b"") -> bytes:
        body = bytes([kind]) + channel.to_bytes(4, "big") + data
        mask = self._masks.getrandbits(32)
        head = ((len(body) + Sealing.TAG) ^ mask).to_bytes(_HEAD, "big")
        return head + self._sealing.seal(self._up, self._sealing.next(self._up), body)

    def open(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """The messages in what has come: kind, channel, content. Raises OSError for what was changed."""
        self._left += data
        found: list[tuple[int, int, bytes]] = []
        while True:
            if self._due < 0:
                if len(self._left) < _HEAD:
                    return found
                self._due = int.from_bytes(self._left[:_HEAD], "big") ^ self._masks.getrandbits(32)
                self._left = self._left[_HEAD:]
            if len(self._left) < self._due:
                return found
            sealed, self._left = self._left[: self._due], self._left[self._due :]
            self._due = -1
            body = self._sealing.open(self._up, self._sealing.next(self._up), sealed)
            if body is None:
                raise ConnectionResetError("corrupted MAC on input")
            found.append((body[0], int.from_bytes(body[1:5], "big"), body[5:]))


def read_line(connection: Connection) -> Generator[Event, Any, None]:
    """Read the other end's line; it sends nothing after it before it is answered."""
    came = b""
    while not came.endswith(b"\n"):
        data = yield from connection.receive()
        if not data:
            raise EOFError("closed in the middle of the version line")
        came += data


def exchange(connection: Connection, own: bool, random: Random) -> Generator[Event, Any, None]:
    """The messages up to the end of the login: their lengths, and bytes that mean nothing."""
    due = 0
    for up, size in _OPENING:
        if up is own:
            if due:
                yield from skip(connection, due)
                due = 0
            yield from connection.send(random.randbytes(size))
        else:
            due += size
    if due:
        yield from skip(connection, due)
