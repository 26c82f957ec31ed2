"""OpenVPN's packets (the project's draft of its wire protocol): resets, TLS in control packets, then data.

The lengths are those that OpenVPN 2.6 showed in a lab, the times those that its configuration there sets
(`testbed.tools.openvpn`): packets of a handshake are said again after 2, 4 and 8 s, an attempt has 15 s, and so has a
silent peer.
"""

from __future__ import annotations

from random import Random

from testbed.simulate.tunnels.shape import DOWN, UP, Said, Sealing, Times

_RESET_CLIENT, _RESET_SERVER, _CONTROL, _ACK, _DATA = (one << 3 for one in (7, 8, 4, 5, 9))
#: who speaks, opcode, bytes; of the packets after the resets
_PLAIN = (
    (UP, _CONTROL, 303),
    (DOWN, _CONTROL, 1_222),
    (UP, _ACK, 26),
    (DOWN, _CONTROL, 95),
    (UP, _CONTROL, 1_222),
    (UP, _CONTROL, 241),
    (DOWN, _CONTROL, 188),
    (DOWN, _CONTROL, 234),
    (UP, _ACK, 34),
    (DOWN, _CONTROL, 249),
    (UP, _ACK, 34),
)
_WRAPPED = (
    (UP, _CONTROL, 343),
    (DOWN, _CONTROL, 1_206),
    (UP, _ACK, 66),
    (DOWN, _CONTROL, 192),
    (UP, _CONTROL, 1_206),
    (UP, _CONTROL, 336),
    (DOWN, _CONTROL, 228),
    (DOWN, _CONTROL, 274),
    (UP, _ACK, 78),
    (DOWN, _CONTROL, 289),
    (UP, _ACK, 82),
)
#: what an end says that has nothing to say (OpenVPN, ping.c)
_PING = bytes.fromhex("2a187bf3641eb4cb07ed2d0a981fc748")
_OVERHEAD = 8  # opcode and peer, packet number


class Conversation:
    """One session; see `shape.Conversation`."""

    def __init__(self, random: Random, port: int, *, wrapped: bool, client: int) -> None:
        self.data_port = port
        self._sealing = Sealing(random)
        self._peer = client.to_bytes(3, "big")
        sessions = {UP: random.randbytes(8), DOWN: random.randbytes(8)}
        if wrapped:
            # packet number and time against replays, a tag, and the rest encrypted (tls-crypt)
            counts = {UP: 0, DOWN: 0}

            def said(up: bool, opcode: int, size: int) -> Said:
                counts[up] += 1
                head = bytes([opcode]) + sessions[up] + counts[up].to_bytes(4, "big") + b"\x68\x00\x00\x00"
                return Said(up, head + random.randbytes(size - len(head)), port)

            script = [said(UP, _RESET_CLIENT, 54), said(DOWN, _RESET_SERVER, 66)]
            script += [said(*one) for one in _WRAPPED]
        else:
            numbers = {UP: 0, DOWN: 0}

            def plain(up: bool, opcode: int, size: int) -> Said:
                head = bytes([opcode]) + sessions[up]
                if opcode == _ACK:  # of as many packets as fit
                    count = (size - 18) // 4
                    last = numbers[not up]
                    acked = b"".join(max(0, last - one).to_bytes(4, "big") for one in range(count))
                    return Said(up, head + bytes([count]) + acked + sessions[not up], port)
                numbers[up] += 1
                head += b"\x01" + numbers[not up].to_bytes(4, "big") + sessions[not up] + numbers[up].to_bytes(4, "big")
                begin = b"\x16\x03\x01" if numbers[up] == 1 else b""
                return Said(up, head + begin + random.randbytes(size - len(head) - len(begin)), port)

            reset = bytes([_RESET_CLIENT]) + sessions[UP] + bytes(5)
            answer = bytes([_RESET_SERVER]) + sessions[DOWN] + b"\x01" + bytes(4) + sessions[UP] + bytes(4)
            script = [Said(UP, reset, port), Said(DOWN, answer, port), *(plain(*one) for one in _PLAIN)]
        self.script = tuple(script)

    def seal(self, up: bool, inner: bytes) -> bytes:
        number = self._sealing.next(up) + 1
        head = bytes([_DATA]) + self._peer + number.to_bytes(4, "big")
        return head + self._sealing.seal(up, number, inner or _PING)

    def open(self, up: bool, message: bytes) -> bytes | None:
        if len(message) < _OVERHEAD + Sealing.TAG or message[0] != _DATA:
            return None
        inner = self._sealing.open(up, int.from_bytes(message[4:8], "big"), message[_OVERHEAD:])
        return b"" if inner == _PING else inner

    def answer(self, message: bytes) -> bytes:
        return b""


class OpenVpnShape:
    """See `shape.Shape`; `framed`: over TCP, two bytes of length before each packet."""

    own_port = False
    counts = True
    waits = False
    times = Times(retries=(2.0, 4.0, 8.0, 1.0), again=(1.0, 2.0, 4.0, 8.0), ping=4.0, server_ping=4.0, dead=15.0)

    def __init__(self, port: int, *, wrapped: bool = False, framed: bool = False) -> None:
        self.ports = (port,)
        self._wrapped = wrapped
        self.mtu = 1_426 if framed else 1_440  # so that what is around it fits 1,492 bytes: its own `mssfix`

    def converse(self, random: Random, client: int) -> Conversation:
        return Conversation(random, self.ports[0], wrapped=self._wrapped, client=client)
