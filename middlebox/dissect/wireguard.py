"""WireGuard: its handshake, and how many data messages followed it.

Decrypts nothing, and looks at no port. A flow is WireGuard's from its first initiation or response on, each of which
has one length and one layout; what is picked up in its middle must show three data messages to one receiver, with
counters that grow. A first datagram that is none of these (AmneziaWG's junk, a scrambled header) ends the following:
it evades.

Sources: Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel", NDSS 2017, sections 5.4.2 to 5.4.7; the indexes
and the invalid messages that are borne: OpenGFW's analyzer.
"""

from __future__ import annotations

from dataclasses import dataclass

from middlebox.dissect.base import NOT_MINE, Course, Fact, Field, Kind, Reading, Reads, State, found
from middlebox.verdict import Direction

#: bytes of a handshake initiation, a response and a cookie reply (5.4.2, 5.4.3, 5.4.7)
INITIATION, RESPONSE, COOKIE = 148, 92, 64
#: bytes of the shortest data message, a keepalive: header and authentication tag (5.4.6)
KEEPALIVE = 32
#: indexes of one end that are remembered: those of its last handshakes (OpenGFW: 6). A tunnel has three at a time
MAX_INDEXES = 6
#: foreign datagrams in a row inside a tunnel beyond which it is followed no more (OpenGFW: 4)
MAX_STRANGERS = 4
#: data messages that show a tunnel of which no handshake was seen
MIDDLE = 3
#: datagrams that may pass until they have shown it
MAX_MIDDLE = 16
#: from one message's counter to the next one's: WireGuard's own window against replay is 8,192 wide (Linux)
MAX_LEAP = 8_192
#: different values among the bytes of a handshake that are keys or encrypted: 116 of an initiation (98 values are to be
#: expected, with a deviation of 4), 64 of a response (57, 2.4). Tables and texts of the same length have fewer
MIN_VARIETY_INITIATION, MIN_VARIETY_RESPONSE = 64, 36
#: the same of the 16 bytes of a tag, where nothing else tells encrypted data from a structure with a counter
MIN_VARIETY_TAG = 10

_INITIATION, _RESPONSE, _COOKIE, _DATA = b"\x01\0\0\0", b"\x02\0\0\0", b"\x03\0\0\0", b"\x04\0\0\0"
_BEGINNINGS = frozenset({_INITIATION, _RESPONSE, _DATA})
#: nothing new; the following goes on
_GOES_ON = Reading(State.NEED_MORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireguardTunnel(Fact):
    """What has been seen of one tunnel, with the datagram that came last."""

    message: str | None  #: that datagram: "initiation", "response", "cookie" or "data"; None: none of them
    handshake: bool  #: initiation and response were seen, or the data that only follow both
    data_packets: int
    data_bytes: int  #: bytes of UDP payload of the data messages


class _Following:
    """One flow."""

    __slots__ = ("_bytes", "_claimed", "_counter", "_down", "_handshake", "_middle", "_packets", "_strangers", "_up")

    held = 0  # a few numbers and indexes, whatever is sent

    def __init__(self) -> None:
        self._claimed = False
        self._handshake = False
        self._packets = self._bytes = 0
        self._strangers = 0  # foreign datagrams since the last that was not
        self._up: tuple[bytes, ...] = ()  # indexes that the client offered: its peer names them as receiver
        self._down: tuple[bytes, ...] = ()  # those of the server
        self._middle: dict[Direction, tuple[bytes, int]] | None = None  # receiver and messages in a row, each way
        self._counter: dict[Direction, int] | None = None  # the last counter, each way

    def take(self, data: bytes, direction: Direction) -> Reading:
        """Read one datagram."""
        start = data[:4]
        if not self._claimed and start not in _BEGINNINGS:
            return NOT_MINE
        size = len(data)
        if start == _DATA:
            if size < KEEPALIVE or size & 15:
                return self._strange()
            if not self._claimed:
                return self._in_the_middle(data, direction)
            offered = self._down if direction is Direction.TO_SERVER else self._up
            # a box that does not read the other end's handshake cannot know the index
            if offered and data[4:8] not in offered:
                return self._strange()
            self._handshake = True
            self._packets += 1
            self._bytes += size
            return self._tell("data")
        if start == _INITIATION:
            if size != INITIATION or len(set(data[8:124])) < MIN_VARIETY_INITIATION:
                return self._strange()
            self._offer(data[4:8], direction)
            return self._tell("initiation")
        if start == _RESPONSE:
            if size != RESPONSE or len(set(data[12:76])) < MIN_VARIETY_RESPONSE:
                return self._strange()
            offered = self._down if direction is Direction.TO_SERVER else self._up
            if offered:
                if data[8:12] not in offered:
                    return self._strange()
                self._handshake = True
            self._offer(data[4:8], direction)
            return self._tell("response")
        if start == _COOKIE and size == COOKIE:
            return self._tell("cookie")
        return self._strange()

    def _offer(self, index: bytes, direction: Direction) -> None:
        self._claimed = True
        if direction is Direction.TO_SERVER:
            self._up = (*self._up[1 - MAX_INDEXES :], index)
        else:
            self._down = (*self._down[1 - MAX_INDEXES :], index)

    def _tell(self, message: str | None) -> Reading:
        if message is not None:
            self._strangers = 0
        fact = WireguardTunnel(
            message=message, handshake=self._handshake, data_packets=self._packets, data_bytes=self._bytes
        )
        return found(fact, 0)

    def _strange(self) -> Reading:
        """A datagram that does not belong here: the tunnel is followed past a few of them."""
        self._strangers += 1
        if not self._claimed or self._strangers > MAX_STRANGERS:
            return NOT_MINE
        return self._tell(None)

    def _in_the_middle(self, data: bytes, direction: Direction) -> Reading:
        """A data message in a flow whose handshake was not seen: three to one receiver, with growing counters, tell."""
        if len(set(data[-16:])) < MIN_VARIETY_TAG:
            return NOT_MINE
        receiver, counter = data[4:8], int.from_bytes(data[8:16], "little")
        if self._middle is None or self._counter is None:
            self._middle, self._counter = {}, {}
        last, row = self._middle.get(direction, (receiver, 0))
        before = self._counter.get(direction, counter - 1)
        row = row + 1 if receiver == last and 0 < counter - before <= MAX_LEAP else 1
        self._middle[direction] = (receiver, row)
        self._counter[direction] = counter
        self._packets += 1
        self._bytes += len(data)
        if row < MIDDLE:
            return _GOES_ON if self._packets < MAX_MIDDLE else NOT_MINE
        self._handshake = True
        for way, (index, _) in self._middle.items():
            self._offer(index, way.reverse)  # each receiver is an index that the other end once offered
        self._middle = self._counter = None
        return self._tell("data")


class Wireguard:
    """The dissector."""

    __slots__ = ()

    name = "wireguard"
    transports = frozenset({"udp"})
    repeats = False
    claims = True
    fields = (
        Field(
            name="wireguard.message",
            kind=Kind.TEXT,
            about='this datagram: "initiation", "response", "cookie", "data"',
            attribute="message",
            noun="the type of a WireGuard message",
        ),
        Field(
            name="wireguard.handshake",
            kind=Kind.FLAG,
            about="the tunnel's handshake is done: initiation and response were seen, or data after either",
            attribute="handshake",
            noun="the statement that a WireGuard handshake is done",
            course=Course.GROWS,
        ),
        Field(
            name="wireguard.data_packets",
            kind=Kind.NUMBER,
            about="data messages so far, keepalives among them, in the directions that the box reads",
            attribute="data_packets",
            noun="the number of data messages of a WireGuard tunnel",
            course=Course.GROWS,
        ),
        Field(
            name="wireguard.data_bytes",
            kind=Kind.NUMBER,
            about="bytes of UDP payload of these data messages",
            attribute="data_bytes",
            noun="the number of bytes of data messages of a WireGuard tunnel",
            course=Course.GROWS,
        ),
    )

    def follow(self, transport: str, reads: Reads) -> _Following:
        """Begin to follow a flow."""
        return _Following()

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """What a first datagram alone tells."""
        return _Following().take(data, Direction.TO_SERVER)


DISSECTOR: Wireguard = Wireguard()
