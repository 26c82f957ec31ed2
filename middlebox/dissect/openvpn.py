"""OpenVPN over UDP and TCP: its resets, the handshake after them, and how many data packets followed.

Decrypts nothing, looks at no port, reads neither static keys (no handshake) nor key method 1 (before 2004). What is
scrambled (the XOR patch) or hidden in another protocol is not seen.

A flow is OpenVPN's from its first hard reset on: the reset has a fixed length and several fixed bytes in each of its
wrappings, so that a policy may strike the first packet. `openvpn.handshake` waits for the proof: a reset of the other
end, or a control packet that repeats the 64-bit session ID of the reset. Published detectors (Xue et al.; nDPI) count
opcodes over the first ten packets and more instead; they see scrambled resets too, at the price of false positives.

Sources: Xue et al., "OpenVPN is Open to VPN Fingerprinting", USENIX Security 2022; the OpenVPN wire protocol (draft of
the project, openvpn-rfc): sections on packet formats, tls-auth, tls-crypt and tls-crypt-v2.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from middlebox.dissect.base import NOT_MINE, Course, Fact, Field, Kind, Reading, Reads, found, need_more
from middlebox.verdict import Direction

#: bytes of a TCP frame that are believed: a tunnel with jumbo packets (9,000) and its overhead
MAX_FRAME = 10_000
#: foreign datagrams in a row beyond which a flow is followed no more. Over TCP one is enough: the framing is lost
MAX_STRANGERS = 4
#: a reset is among the first packets of its session, so that its packet ID against replays is small; retransmissions
#: and new attempts of a session count up
MAX_REPLAY_ID = 64
#: bytes of a wrapped client key (tls-crypt-v2): a tag, a key of 256 bytes and its length; OpenVPN's own bound
MIN_CLIENT_KEY, MAX_CLIENT_KEY = 290, 1_024

_RESET_CLIENT, _RESET_SERVER, _RESET_CLIENT_V3 = 7, 8, 10
_DATA_V1, _DATA_V2 = 6, 9
_WORDS = {
    3: "soft-reset-v1",
    4: "control-v1",
    5: "ack-v1",
    _DATA_V1: "data-v1",
    _RESET_CLIENT: "hard-reset-client-v2",
    _RESET_SERVER: "hard-reset-server-v2",
    _DATA_V2: "data-v2",
    _RESET_CLIENT_V3: "hard-reset-client-v3",
    11: "control-wkc-v1",
}
#: the first byte of each reset: opcode and key ID 0
_RESETS = frozenset(opcode << 3 for opcode in (_RESET_CLIENT, _RESET_SERVER, _RESET_CLIENT_V3))

_SESSION = 9  # bytes up to the end of the session ID
_REPLAY = 8  # packet ID and time, against replays
_PLAIN = 14  # a reset without acknowledgement: opcode, session ID, their number 0, packet ID 0
_ACKED = 26  # with one: packet ID 0 of the other end, and its session ID
#: digests of tls-auth: MD5, SHA1, SHA224, SHA256, SHA384, SHA512
_DIGESTS = (16, 20, 28, 32, 48, 64)
_CRYPT_TAG = 32  # tls-crypt: HMAC-SHA256
_TLV = 6  # what a server since 2.6 adds to its reset under tls-crypt-v2
#: the shortest data packet: opcode and an authentication tag, or an IV
_SHORTEST_DATA = 17
_NUMBER = Struct(">I")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenvpnTunnel(Fact):
    """What has been seen of one connection, with the packet that came last."""

    message: str | None  #: the opcode of that packet, a word; None: it is no packet of OpenVPN's
    wrapped: bool  #: control packets go under tls-auth, tls-crypt or tls-crypt-v2
    handshake: bool  #: both ends took part
    control_packets: int  #: resets and acknowledgements among them
    data_packets: int


def reset_kind(data: bytes) -> str:
    """ "plain" or "wrapped", if this is a hard reset of one of the known layouts; "" if it is none."""
    size = len(data)
    if size < _PLAIN or data[0] not in _RESETS or not any(data[1:_SESSION]):
        return ""
    opcode = data[0] >> 3
    if opcode == _RESET_CLIENT_V3:
        key = size - _PLAIN - _REPLAY - _CRYPT_TAG
        stated = data[-2] << 8 | data[-1]
        return "wrapped" if MIN_CLIENT_KEY <= key <= MAX_CLIENT_KEY and stated == key and _first(data, 9) else ""
    if size == _PLAIN:
        return "plain" if data[9:] == bytes(5) else ""
    acked = opcode == _RESET_SERVER
    if acked and size == _ACKED:
        return "plain" if _acknowledges(data, 9) else ""
    own = size - (_ACKED if acked else _PLAIN) - _REPLAY  # the digest of tls-auth or the tag of tls-crypt
    if own in _DIGESTS and _first(data, _SESSION + own):
        at = _SESSION + own + _REPLAY
        if _acknowledges(data, at) if acked else data[at:] == bytes(5):
            return "wrapped"
    if own == _CRYPT_TAG or (acked and own == _CRYPT_TAG + _TLV):
        return "wrapped" if _first(data, _SESSION) else ""
    return ""


def _first(data: bytes, at: int) -> bool:
    """True if the packet ID against replays is one of a session's first; 0x0f leads it in early negotiation (2.6)."""
    number = _NUMBER.unpack_from(data, at)[0]
    return 0 < number & 0xFFFFFF <= MAX_REPLAY_ID and number >> 24 in (0, 0x0F)


def _acknowledges(data: bytes, at: int) -> bool:
    """True if one packet, the other end's reset (ID 0), is acknowledged, and this one has the ID 0."""
    return data[at : at + 5] == b"\x01\0\0\0\0" and data[at + 13 :] == bytes(4) and any(data[at + 5 : at + 13])


class _Following:
    """One flow."""

    __slots__ = ("_control", "_data", "_down", "_handshake", "_resets", "_strangers", "_tcp", "_up", "_wrapped")

    held = 0  # two session IDs and a few numbers, whatever is sent

    def __init__(self, tcp: bool) -> None:
        self._tcp = tcp
        self._up = self._down = b""  # the session ID of the client's packets, and of the server's
        self._resets: frozenset[Direction] = frozenset()  # which ends have sent one
        self._wrapped = self._handshake = False
        self._control = self._data = 0
        self._strangers = 0

    def take(self, data: bytes, direction: Direction) -> Reading:
        """Read one datagram, or the next frame: two bytes of length before each packet."""
        if not self._tcp:
            return self._packet(data, direction, len(data))
        have = len(data)
        if have > 2 and not self._resets and data[2] not in _RESETS:
            return NOT_MINE
        if have < 2:
            return NOT_MINE if have and data[0] > MAX_FRAME >> 8 else need_more(have + 1)
        size = data[0] << 8 | data[1]
        most = MAX_FRAME if self._resets else _PLAIN + _REPLAY + _CRYPT_TAG + MAX_CLIENT_KEY
        if size < _PLAIN or size > most:
            return NOT_MINE
        end = 2 + size
        if have < end:
            return need_more(3 if have < 3 and not self._resets else end)
        return self._packet(data[2:end], direction, end)

    def _packet(self, data: bytes, direction: Direction, consumed: int) -> Reading:
        size = len(data)
        opcode = data[0] >> 3 if size else 0
        word = _WORDS.get(opcode)
        if opcode in (_DATA_V2, _DATA_V1):
            if not self._resets or size < _SHORTEST_DATA:
                return self._strange(consumed)
            self._data += 1
            return self._tell(word, consumed)
        if opcode in (_RESET_CLIENT, _RESET_SERVER, _RESET_CLIENT_V3):
            return self._reset(data, direction, consumed, word)
        if word is None or not self._resets or size < _PLAIN:
            return self._strange(consumed)
        session = data[1:_SESSION]
        known = self._up if direction is Direction.TO_SERVER else self._down
        if known and session != known:
            return self._strange(consumed)
        self._session(session, direction)
        self._handshake = self._handshake or direction in self._resets
        self._control += 1
        return self._tell(word, consumed)

    def _reset(self, data: bytes, direction: Direction, consumed: int, word: str | None) -> Reading:
        kind = reset_kind(data)
        if not kind or (self._resets and (kind == "wrapped") is not self._wrapped):
            return self._strange(consumed)
        other = self._down if direction is Direction.TO_SERVER else self._up
        if kind == "plain" and len(data) == _ACKED and other and data[14:22] != other:
            return self._strange(consumed)  # it answers another session
        self._wrapped = kind == "wrapped"
        self._session(data[1:_SESSION], direction)
        self._handshake = self._handshake or direction.reverse in self._resets
        self._resets |= {direction}
        self._control += 1
        return self._tell(word, consumed)

    def _session(self, session: bytes, direction: Direction) -> None:
        if direction is Direction.TO_SERVER:
            self._up = session
        else:
            self._down = session

    def _tell(self, word: str | None, consumed: int) -> Reading:
        if word is not None:
            self._strangers = 0
        fact = OpenvpnTunnel(
            message=word,
            wrapped=self._wrapped,
            handshake=self._handshake,
            control_packets=self._control,
            data_packets=self._data,
        )
        return found(fact, consumed)

    def _strange(self, consumed: int) -> Reading:
        """A packet that does not belong here: a tunnel over UDP is followed past a few of them."""
        self._strangers += 1
        if not self._resets or self._tcp or self._strangers > MAX_STRANGERS:
            return NOT_MINE
        return self._tell(None, consumed)


class Openvpn:
    """The dissector."""

    __slots__ = ()

    name = "openvpn"
    transports = frozenset({"udp", "tcp"})
    repeats = False
    claims = True
    fields = (
        Field(
            name="openvpn.message",
            kind=Kind.TEXT,
            about='opcode of this packet: "hard-reset-client-v2", "control-v1", "ack-v1", "data-v2", ...',
            attribute="message",
            noun="the opcode of an OpenVPN packet",
        ),
        Field(
            name="openvpn.wrapped",
            kind=Kind.FLAG,
            about="control packets go under tls-auth, tls-crypt or tls-crypt-v2",
            attribute="wrapped",
            noun="the statement that OpenVPN wraps its control packets",
            course=Course.STAYS,
        ),
        Field(
            name="openvpn.handshake",
            kind=Kind.FLAG,
            about="both ends have taken part: two resets, or a control packet with the session ID of a reset",
            attribute="handshake",
            noun="the statement that both ends take part in an OpenVPN handshake",
            course=Course.GROWS,
        ),
        Field(
            name="openvpn.control_packets",
            kind=Kind.NUMBER,
            about="resets, control packets and acknowledgements so far, in the directions that the box reads",
            attribute="control_packets",
            noun="the number of control packets of an OpenVPN connection",
            course=Course.GROWS,
        ),
        Field(
            name="openvpn.data_packets",
            kind=Kind.NUMBER,
            about="data packets so far, pings among them, in the directions that the box reads",
            attribute="data_packets",
            noun="the number of data packets of an OpenVPN connection",
            course=Course.GROWS,
        ),
    )

    def follow(self, transport: str, reads: Reads) -> _Following:
        """Begin to follow a flow."""
        return _Following(transport == "tcp")

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """What a first packet alone tells."""
        return _Following(transport == "tcp").take(data, Direction.TO_SERVER)


DISSECTOR: Openvpn = Openvpn()
