"""IKEv2 over UDP, and the ESP packets that travel beside it in the same flow.

Decrypts nothing, looks at no port, and reads neither IKEv1 nor ESP without UDP (IP protocol 50, which has no ports and
no flow here). ESP alone has nothing to be known by: it counts only in a flow in which IKE was seen.

Each IKE message has its length, its SPIs, its version and its flags in clear, and most have a chain of payloads whose
lengths must add up; so one message is enough, whichever comes first. Behind a NAT the exchange begins on port 500 and
goes on in another flow, on 4500, where four zero bytes stand before each IKE message.

Sources: RFC 7296 sections 2.2, 3.1, 3.2 (header, payloads); RFC 3948 section 2 (ESP in UDP, the marker, keepalives);
RFC 7383 (fragments); RFC 9242 (IKE_INTERMEDIATE).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from middlebox.dissect.base import NOT_MINE, Course, Fact, Field, Kind, Reading, Reads, found
from middlebox.verdict import Direction

#: foreign datagrams in a row beyond which a flow is followed no more
MAX_STRANGERS = 4
#: payloads of one message that are walked: a proposal with certificates and notifications has about 20
MAX_PAYLOADS = 64
#: RFC 4303, 2.1: SPIs from 1 to 255 are reserved
MIN_SPI = 256
#: bytes of the shortest ESP packet: SPI, number, and an authentication tag of 96 bits
SHORTEST_ESP = 20

_HEADER = 28
_PAYLOAD = 4  # next payload, flags, length
_MARKER = bytes(4)  # RFC 3948, 2.2: no ESP packet has the SPI 0
_KEEPALIVE = b"\xff"
_NO_SPI = bytes(8)

_INIT, _AUTH = 34, 35
_WORDS = {_INIT: "ike-sa-init", _AUTH: "ike-auth", 36: "create-child-sa", 37: "informational", 43: "ike-intermediate"}
_INITIATOR, _HIGHER, _RESPONSE = 0x08, 0x10, 0x20
#: payload types in the clear that an IKE_SA_INIT begins with: SA; notification (a cookie, a wrong group); vendor ID
_FIRST = frozenset({33, 41, 43})
#: what all later messages consist of: an encrypted payload, or a fragment of one
_ENCRYPTED = frozenset({46, 53})
#: types that RFC 7296 and its extensions know
_PAYLOADS = range(33, 56)

_HEAD = Struct(">8s8s4BII")
_NEXT = Struct(">BBH")
_ESP = Struct(">II")


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeConversation(Fact):
    """What has been seen of one flow, with the datagram that came last."""

    message: str | None  #: the exchange of that message, or "esp"; None: it is none
    initiator: bool | None  #: sent by the end that began the IKE SA; None for ESP
    response: bool | None
    handshake: bool  #: an IKE_SA_INIT was answered, or what only follows one was seen
    esp_packets: int


def parse_ike(data: bytes, at: int) -> tuple[int, int, int, bytes] | None:
    """Exchange, flags, message ID and the initiator's SPI of the IKE message from this place on; None if it is none."""
    size = len(data) - at
    if size < _HEADER + _PAYLOAD:
        return None
    ours, theirs, payload, version, exchange, flags, number, length = _HEAD.unpack_from(data, at)
    if version != 0x20 or length != size or exchange not in _WORDS or flags & ~(_INITIATOR | _HIGHER | _RESPONSE):
        return None
    if ours == _NO_SPI:
        return None
    if exchange != _INIT:
        if payload not in _ENCRYPTED or theirs == _NO_SPI or (exchange == _AUTH and not number):
            return None
        # the encrypted payload is the last one; what is in it names itself as next
        return (exchange, flags, number, ours) if data[at + 30] << 8 | data[at + 31] == size - _HEADER else None
    response = flags & _RESPONSE
    # the answer may be a notification alone, and then without an SPI (2.6); a request is the initiator's and has none
    if number or payload not in _FIRST or (not response and (theirs != _NO_SPI or not flags & _INITIATOR)):
        return None
    if response and flags & _INITIATOR:
        return None
    return (exchange, flags, number, ours) if _chain(data, at + _HEADER, payload) else None


def _chain(data: bytes, at: int, payload: int) -> bool:
    """True if payloads follow each other exactly up to the end."""
    end = len(data)
    for _ in range(MAX_PAYLOADS):
        if payload not in _PAYLOADS or at + _PAYLOAD > end:
            return False
        payload, flags, length = _NEXT.unpack_from(data, at)
        if length < _PAYLOAD or flags & 0x7F or at + length > end:
            return False
        at += length
        if not payload:
            return at == end
    return False


class _Following:
    """One flow."""

    __slots__ = ("_asked", "_claimed", "_esp", "_handshake", "_strangers")

    held = 0  # one SPI and a few numbers

    def __init__(self) -> None:
        self._claimed = self._handshake = False
        self._asked = _NO_SPI  # the initiator's SPI of an IKE_SA_INIT request
        self._esp = 0
        self._strangers = 0

    def take(self, data: bytes, direction: Direction) -> Reading:
        """Read one datagram."""
        size = len(data)
        at = 4 if data[:4] == _MARKER else 0
        # version and exchange alone tell most foreign datagrams
        if size > at + 19 and data[at + 17] == 0x20 and data[at + 18] in _WORDS:
            message = parse_ike(data, at)
            if message is not None:
                return self._message(*message)
        if not self._claimed:
            return NOT_MINE
        if data == _KEEPALIVE:
            return self._tell(None)
        if not at and size >= SHORTEST_ESP:
            spi, number = _ESP.unpack_from(data, 0)
            if spi >= MIN_SPI and number:  # RFC 4303, 3.3.3: the first packet has the number 1
                self._esp += 1
                self._handshake = True
                self._strangers = 0
                return self._tell("esp")
        self._strangers += 1
        return NOT_MINE if self._strangers > MAX_STRANGERS else self._tell(None)

    def _message(self, exchange: int, flags: int, number: int, ours: bytes) -> Reading:
        self._claimed = True
        self._strangers = 0
        if exchange != _INIT:
            self._handshake = True
        elif not flags & _RESPONSE:
            self._asked = ours
        elif ours == self._asked:
            self._handshake = True
        return self._tell(_WORDS[exchange], flags)

    def _tell(self, word: str | None, flags: int = -1) -> Reading:
        ike = flags >= 0
        fact = IkeConversation(
            message=word,
            initiator=bool(flags & _INITIATOR) if ike else None,
            response=bool(flags & _RESPONSE) if ike else None,
            handshake=self._handshake,
            esp_packets=self._esp,
        )
        return found(fact, 0)


class Ikev2:
    """The dissector."""

    __slots__ = ()

    name = "ikev2"
    transports = frozenset({"udp"})
    repeats = False
    claims = True
    fields = (
        Field(
            name="ikev2.message",
            kind=Kind.TEXT,
            about='this datagram: "ike-sa-init", "ike-auth", "create-child-sa", "informational", "esp"',
            attribute="message",
            noun="the exchange of an IKEv2 message",
        ),
        Field(
            name="ikev2.initiator",
            kind=Kind.FLAG,
            about="this IKE message comes from the end that began",
            attribute="initiator",
            noun="the statement that an IKEv2 message comes from the end that began",
        ),
        Field(
            name="ikev2.response",
            kind=Kind.FLAG,
            about="this IKE message is a response",
            attribute="response",
            noun="the statement that an IKEv2 message is a response",
        ),
        Field(
            name="ikev2.handshake",
            kind=Kind.FLAG,
            about="an IKE_SA_INIT was answered, or a message was seen that only follows one",
            attribute="handshake",
            noun="the statement that an IKEv2 handshake was answered",
            course=Course.GROWS,
        ),
        Field(
            name="ikev2.esp_packets",
            kind=Kind.NUMBER,
            about="ESP packets in UDP so far in the flow of an IKE message, in the directions that the box reads",
            attribute="esp_packets",
            noun="the number of ESP packets beside IKEv2",
            course=Course.GROWS,
        ),
    )

    def follow(self, transport: str, reads: Reads) -> _Following:
        """Begin to follow a flow."""
        return _Following()

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """What a first datagram alone tells."""
        return _Following().take(data, Direction.TO_SERVER)


DISSECTOR: Ikev2 = Ikev2()
