"""IKEv2 (RFC 7296) and ESP in UDP (RFC 3948): two exchanges, the first on port 500, then packets on 4500.

The lengths are those that strongSwan 5.9 showed in a lab, the times those that its configuration in
`testbed.tools.ikev2` sets: a request is said again after 1, 1.8, ... s and given up after 22; a peer that is silent
for 5 s is asked whether it is there.
"""

from __future__ import annotations

from random import Random

from testbed.simulate.tunnels.shape import DOWN, UP, Said, Sealing, Times

_IKE, _NAT = 500, 4500
_MARKER = bytes(4)
_INIT, _AUTH, _INFORMATIONAL = 34, 35, 37
_INITIATOR, _RESPONSE = 0x08, 0x20
#: payloads of an IKE_SA_INIT, type and bytes: SA, key, nonce, notifications
_OFFER = ((33, 48), (34, 40), (40, 36), (41, 28), (41, 28), (41, 8), (41, 16))
_CHOICE = ((33, 48), (34, 40), (40, 36), (41, 28), (41, 28), (41, 8), (41, 8), (41, 16))
_ENCRYPTED = 46
#: bytes of an IKE_AUTH and its answer, of a question whether one is there, without the marker
_ASKED, _ANSWERED, _THERE = 282, 232, 57
_WHOLE = 4  # ESP pads to this (RFC 4303, 2.4)
_IV = 8


class Conversation:
    """One session; see `shape.Conversation`."""

    data_port = _NAT

    def __init__(self, random: Random) -> None:
        self._random = random
        self._sealing = Sealing(random)
        self._spis = random.randbytes(8), random.randbytes(8)
        # the first byte above 0, so that the number is above what is reserved
        self._esp = {way: bytes([random.randrange(1, 256)]) + random.randbytes(3) for way in (UP, DOWN)}
        self._asked = 1
        self.script = (
            Said(UP, self._opening(_OFFER, _INITIATOR, bytes(8)), _IKE),
            Said(DOWN, self._opening(_CHOICE, _RESPONSE, self._spis[1]), _IKE),
            Said(UP, self._later(_AUTH, 1, _INITIATOR, _ASKED), _NAT),
            Said(DOWN, self._later(_AUTH, 1, _RESPONSE, _ANSWERED), _NAT),
        )

    def _head(self, theirs: bytes, first: int, exchange: int, flags: int, number: int, size: int) -> bytes:
        words = bytes([first, 0x20, exchange, flags])
        return self._spis[0] + theirs + words + number.to_bytes(4, "big") + size.to_bytes(4, "big")

    def _opening(self, payloads: tuple[tuple[int, int], ...], flags: int, theirs: bytes) -> bytes:
        following = [kind for kind, _ in payloads[1:]] + [0]
        body = b"".join(
            bytes([after, 0]) + size.to_bytes(2, "big") + self._random.randbytes(size - 4)
            for (_, size), after in zip(payloads, following, strict=True)
        )
        return self._head(theirs, payloads[0][0], _INIT, flags, 0, 28 + len(body)) + body

    def _later(self, exchange: int, number: int, flags: int, size: int) -> bytes:
        """A message whose only payload is encrypted."""
        head = self._head(self._spis[1], _ENCRYPTED, exchange, flags, number, size)
        payload = bytes([35, 0]) + (size - 28).to_bytes(2, "big") + self._random.randbytes(size - 32)
        return _MARKER + head + payload

    def seal(self, up: bool, inner: bytes) -> bytes:
        if not inner:  # a question whether the other end is there (RFC 7296, 2.4)
            self._asked += 1
            return self._later(_INFORMATIONAL, self._asked, _INITIATOR, _THERE + 3)
        number = self._sealing.next(up) + 1
        padded = inner + bytes(-(len(inner) + 2) % _WHOLE) + b"\0\x04"
        return self._esp[up] + number.to_bytes(4, "big") + bytes(_IV) + self._sealing.seal(up, number, padded)

    def open(self, up: bool, message: bytes) -> bytes | None:
        if message[:4] == _MARKER:
            return b"" if len(message) > 22 and message[22] == _INFORMATIONAL else None
        if message[:4] != self._esp[up]:
            return None
        padded = self._sealing.open(up, int.from_bytes(message[4:8], "big"), message[8 + _IV :])
        return padded if not padded else padded[: padded[2] << 8 | padded[3]]

    def answer(self, message: bytes) -> bytes:
        if message[:4] != _MARKER or len(message) < 32 or message[22] != _INFORMATIONAL or message[23] & _RESPONSE:
            return b""
        return self._later(_INFORMATIONAL, int.from_bytes(message[24:28], "big"), _RESPONSE, _THERE + 3)


class Ikev2Shape:
    """See `shape.Shape`."""

    ports = (_IKE, _NAT)
    mtu = 1_400
    times = Times(retries=(1.0, 1.8, 3.24, 5.83, 10.5), quiet=5.0, dead=27.4)
    own_port = True
    counts = True
    waits = False

    def converse(self, random: Random, client: int) -> Conversation:
        return Conversation(random)
