"""WireGuard's messages (Donenfeld, NDSS 2017, section 5.4): an initiation there, a response back, then data.

Its times are those of section 6: an initiation is said again every 5 s for 90 s, and a peer that does not answer data
for 15 s is asked for new keys.
"""

from __future__ import annotations

from random import Random

from testbed.simulate.tunnels.shape import DOWN, UP, Said, Sealing, Times

PORT = 51820
_HEADER, _BLOCK = 16, 16


class Conversation:
    """One session; see `shape.Conversation`."""

    data_port = PORT

    def __init__(self, random: Random) -> None:
        self._sealing = Sealing(random)
        self._indexes = {UP: random.randbytes(4), DOWN: random.randbytes(4)}  # who sends offers its own
        ours, theirs = self._indexes[UP], self._indexes[DOWN]
        # keys, encrypted static key and time, MAC; the second MAC is all zero unless a server is under load
        initiation = b"\x01\0\0\0" + ours + random.randbytes(124) + bytes(16)
        response = b"\x02\0\0\0" + theirs + ours + random.randbytes(64) + bytes(16)
        self.script = (Said(UP, initiation, PORT), Said(DOWN, response, PORT))

    def seal(self, up: bool, inner: bytes) -> bytes:
        number = self._sealing.next(up)
        padded = inner + bytes(-len(inner) % _BLOCK)
        head = b"\x04\0\0\0" + self._indexes[not up] + number.to_bytes(8, "little")
        return head + self._sealing.seal(up, number, padded)

    def open(self, up: bool, message: bytes) -> bytes | None:
        if message[:4] != b"\x04\0\0\0" or len(message) < _HEADER + Sealing.TAG:
            return None
        padded = self._sealing.open(up, int.from_bytes(message[8:16], "little"), message[_HEADER:])
        # an IP packet says how long it is
        return padded if not padded else padded[: padded[2] << 8 | padded[3]]

    def answer(self, message: bytes) -> bytes:
        return b""


class WireGuardShape:
    """See `shape.Shape`."""

    ports = (PORT,)
    mtu = 1_420
    times = Times(retries=(5.1,) * 17, ping=25.0, unanswered=15.0)
    own_port = False
    counts = False
    waits = True

    def converse(self, random: Random, client: int) -> Conversation:
        return Conversation(random)
