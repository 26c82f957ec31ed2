"""What each dissector offers: named, typed fields, and how bytes become a fact.

A dissector of messages is one pure function. A dissector of conversations, whose facts grow over several messages or
come from both ends, keeps what it needs of each flow in a `Follower`. Nothing here knows a protocol, or guesses by
port numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from middlebox.match import Unknown
from middlebox.verdict import Direction


class Kind(Enum):
    """The type of a field; it decides which operators a policy may use on it."""

    NAME = "name"  #: a host name: lower case, no dot at its end
    TEXT = "text"  #: one string
    TEXTS = "texts"  #: a tuple of strings
    NUMBER = "number"  #: one integer
    NUMBERS = "numbers"  #: a tuple of integers
    FLAG = "flag"  #: yes or no
    ADDRESS = "address"  #: IP addresses in network order, 4 or 16 bytes each; no dissector tells one


class Course(Enum):
    """What becomes of a field's value as a conversation goes on, once it was told."""

    CHANGES = "changes"  #: the next message may have another
    GROWS = "grows"  #: it never becomes smaller, and a yes never no
    STAYS = "stays"  #: it is the same as long as the conversation is followed


#: what a field can hold
Value = str | int | bool | tuple[str, ...] | tuple[int, ...]


class Fact:
    """What a dissector learned from one message; each protocol has its own subclass.

    Nobody changes one. Those of every flow are not frozen all the same: to make a frozen one costs twice as much.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a policy may ask about a protocol."""

    name: str  #: the dissector's name, a dot, and a word: "tls.sni"
    kind: Kind
    about: str  #: one line for people
    attribute: str  #: where it stands in the fact
    noun: str = ""  #: the field in a sentence: "the server name in a ClientHello"
    #: what it is good for to know: flows in which no rule can match any more need no further look
    course: Course = Course.CHANGES

    def get(self, fact: Fact) -> Value | Unknown | None:
        """The value in a fact of this field's own protocol; None if the message does not have it.

        A fact that grows over several messages leaves open (`UNKNOWN`) what the next ones may tell.
        """
        value: Value | Unknown | None = getattr(fact, self.attribute, None)
        return value


class State(Enum):
    """How far a dissector got."""

    FOUND = "found"  #: one whole message: `fact` and `consumed` are set
    NEED_MORE = "need-more"  #: the beginning of a message: `need` is set
    NOT_MINE = "not-mine"  #: no bytes that may follow make this a message of the protocol


#: the members as names of their own: to read a name costs less than to look into an enumeration
FOUND: Final = State.FOUND
NEED_MORE: Final = State.NEED_MORE


class Reading:
    """The answer of a dissector."""

    __slots__ = ("consumed", "fact", "need", "state")

    def __init__(self, state: State, fact: Fact | None = None, consumed: int = 0, need: int = 0) -> None:
        self.state = state
        self.fact = fact
        #: FOUND: bytes up to the end of the message, where the next one may start. More than were given if a body is
        #: still to come: then the rest of it is to be skipped, and with `ENDLESS` all that ever follows
        self.consumed = consumed
        self.need = need  #: NEED_MORE: the smallest buffer length, in bytes, with which asking again is worth it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and (
            (self.state, self.fact, self.consumed, self.need) == (other.state, other.fact, other.consumed, other.need)
        )

    def __hash__(self) -> int:
        return hash((self.state, self.consumed, self.need))

    def __repr__(self) -> str:
        return f"Reading({self.state}, {self.fact!r}, {self.consumed}, {self.need})"


#: `Reading.consumed` of a message whose end its beginning does not tell; larger than any stream
ENDLESS: Final = 1 << 60

#: the one answer for foreign bytes
NOT_MINE: Final = Reading(State.NOT_MINE)


def need_more(length: int) -> Reading:
    """Ask again when there are this many bytes."""
    return Reading(NEED_MORE, None, 0, length)


def found(fact: Fact, consumed: int) -> Reading:
    """One message that ends after this many bytes."""
    return Reading(FOUND, fact, consumed)


@dataclass(frozen=True, slots=True)
class Reads:
    """What a box is able to read inside a stream, as far as dissectors care."""

    records: bool = True  #: joins a TLS handshake message that is spread over several records
    #: joins a ClientHello from CRYPTO frames in any order and among others; else it must stand in a QUIC packet's first
    #: frame, whose length is not looked at
    quic_frames: bool = True
    quic_datagrams: bool = True  #: joins a ClientHello that is spread over several QUIC datagrams


class Follower(Protocol):
    """What a dissector of conversations keeps of one flow; bounded, and let go with the flow."""

    def take(self, data: bytes, direction: Direction) -> Reading:
        """Read what one end said next. Never raises.

        Over UDP `data` is one datagram. Over TCP it is all contiguous bytes of this direction that were not consumed
        yet: after NEED_MORE it comes again, longer, so that nothing may be kept of it until a message is whole; after
        FOUND the bytes behind `consumed` come next. FOUND tells the conversation's fact as it now is, and `ENDLESS`
        with it that nothing more will be told. NOT_MINE ends the following; a fact that was told before stays.
        """

    @property
    def held(self) -> int:
        """Bytes that are kept between two calls."""


class Dissector(Protocol):
    """One protocol."""

    @property
    def name(self) -> str:
        """The first part of its fields' names."""

    @property
    def transports(self) -> frozenset[str]:
        """Where it occurs: "tcp", "udp"."""

    @property
    def repeats(self) -> bool:
        """True if one direction of a flow carries several messages."""

    @property
    def claims(self) -> bool:
        """True if bytes that are its message can be nobody else's; False for what may be said of any bytes."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """What it can tell."""

    def follow(self, transport: str, reads: Reads) -> Follower | None:
        """Begin to follow a flow; None for a dissector of messages, which is asked by `read` alone."""

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """Read the message that starts at the first byte.

        `data` is one datagram, or all contiguous bytes of one direction so far. Pure; never raises, never guesses,
        and once it has answered NOT_MINE to some bytes it answers so to whatever begins with them.
        """
