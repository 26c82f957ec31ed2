"""What one box is able to see and do: where it stands, which TCP it believes, what it can put together again.

Circumvention beats abilities, not block lists; so whatever evades a box here does so because of a value on
this page. Values only: `stream`, `flow` and `censor` live by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_network

from middlebox.verdict import Direction

MILLISECOND = 1_000_000
SECOND = 1_000_000_000

Network = IPv4Network | IPv6Network


class Placement(Enum):
    """Where the box stands."""

    ON_PATH = "on-path"  #: it sees a copy and can only inject
    IN_PATH = "in-path"  #: traffic passes through it: it can also drop, hold and rewrite


class Segment(Enum):
    """The kinds of TCP segment that a box's idea of a connection may hang on."""

    SYN = "syn"
    SYN_ACK = "syn-ack"
    ACK = "ack"  #: no payload, no SYN, FIN or RST
    DATA = "data"
    FIN = "fin"
    RST = "rst"
    RST_ACK = "rst-ack"

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a call into Python for each look-up


class Handshake(Enum):
    """How much of the three-way handshake a box must have seen before it reads a connection's data."""

    NONE = "none"
    SYN = "syn"
    SYN_ACK = "syn-ack"
    COMPLETE = "complete"


class Sequence(Enum):
    """Which sequence numbers a box accepts data at."""

    ANY = "any"  #: it does not look
    WINDOW = "window"  #: at the expected number or up to `Reassembly.window` bytes beyond
    EXACT = "exact"  #: at the expected number alone


class EndCheck(Enum):
    """What a segment must have right before the box believes that it ends a connection."""

    NOTHING = "nothing"  #: any such segment ends every connection of this box
    FLOW = "flow"  #: the 4-tuple
    SEQUENCE = "sequence"  #: the 4-tuple and the expected sequence number


class EndEffect(Enum):
    """What a box does on a segment that ends a connection."""

    FORGET = "forget"
    RESYNCHRONISE = "resynchronise"  #: it takes the next segment's sequence number for the expected one
    IGNORE = "ignore"


class Overlap(Enum):
    """Which copy of a byte counts when two segments (or fragments) disagree; Ptacek & Newsham 1998."""

    FIRST = "first"
    LAST = "last"
    STRICT = "strict"  #: a disagreement ends the inspection of the connection


class Header(Enum):
    """Which TCP headers a box reads."""

    ANY = "any"  #: even one whose data offset is below 5 (its payload is taken to begin after 20 bytes)
    VALID = "valid"
    PLAIN = "plain"  #: exactly 20 bytes: any TCP option hides the packet (Henan; Wu et al., S&P 2025)


@dataclass(frozen=True, slots=True)
class Draw:
    """A number: fixed, drawn evenly from a range, or copied from the packet that caused it."""

    low: int
    high: int
    mirror: bool = False

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"a range from {self.low} to {self.high} is empty")

    @property
    def fixed(self) -> bool:
        return self.low == self.high and not self.mirror


def fixed(value: int) -> Draw:
    return Draw(value, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """Which TCP a box believes."""

    create: frozenset[Segment] = frozenset({Segment.SYN})  #: segments that make a connection known
    mid_stream: bool = False  #: a data segment of an unknown connection makes it known too
    resynchronise: frozenset[Segment] = frozenset()  #: segments that move the expected sequence number as they say
    end: frozenset[Segment] = frozenset({Segment.RST, Segment.RST_ACK})  #: segments that end it
    end_check: EndCheck = EndCheck.SEQUENCE
    end_effect: EndEffect = EndEffect.FORGET
    sequence: Sequence = Sequence.WINDOW
    handshake: Handshake = Handshake.SYN
    header: Header = Header.VALID
    idle_ns: int = 600 * SECOND  #: a silent connection is forgotten after this long


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassembly:
    """What a box can put together again, and how much of it."""

    segments: bool = True  #: TCP segments into a stream; without it each segment is read alone
    overlap: Overlap = Overlap.FIRST
    window: int = 65_536  #: bytes beyond the expected sequence number that are kept
    buffer: int = 32_768  #: bytes of one message that are kept, each direction
    records: bool = True  #: a TLS handshake message over several records
    #: a ClientHello from a QUIC packet's CRYPTO frames, in any order and among others; else it must stand in the first
    #: frame of a packet, whose length the box does not look at
    quic_frames: bool = True
    quic_datagrams: bool = True  #: a ClientHello over several QUIC datagrams
    fragments: bool = True  #: IP fragments into a datagram
    max_fragments: int = 64  #: per datagram (Linux keeps 64 per queue before it gives up)
    fragment_timeout_ns: int = 30 * SECOND  #: Linux's ipfrag_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspect:
    """How far into a flow a box looks."""

    directions: frozenset[Direction] = frozenset({Direction.TO_SERVER})
    packets: int = 0  #: packets with payload, of the whole flow, that are read; 0: no limit
    bytes: int = 0  #: payload bytes, each direction, that are read; 0: no limit
    #: a first payload that no dissector knows ends the inspection if it has at least this many bytes, and else the box
    #: goes on with what follows it (TSPU; Xue et al., IMC 2021); 0: any foreign payload ends it
    stranger: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a box can remember; beyond it the oldest goes, and is counted."""

    flows: int = 200_000  #: TCP connections, and as many flows of other protocols
    residual: int = 200_000  #: entries of residual censorship
    buffered: int = 64_000_000  #: bytes of all connections that wait to be read; beyond it a connection is given up
    fragments: int = 4_096  #: datagrams in pieces
    buckets: int = 200_000  #: buckets and queues that several flows share


@dataclass(frozen=True, slots=True, kw_only=True)
class Injector:
    """How one of a box's injectors makes its TCP packets, and where it sends them."""

    name: str
    flags: int  #: TCP flags, RFC 9293
    toward: frozenset[Direction] = frozenset(Direction)
    copies: int = 1  #: identical packets for each sequence offset
    sequence: tuple[int, ...] = (0,)  #: offsets from the sequence number that the receiver expects
    ttl: Draw = Draw(64, 64)
    ip_id: Draw = Draw(0, 65_535)
    window: Draw = Draw(0, 0)
    df: bool = False
    payload: bytes = b""
    #: True: the trigger's sequence numbers; False: both numbers are 0 (Turkmenistan)
    real_sequence: bool = True
    reaction_ns: Draw | None = None  #: from the trigger to the first packet; None: the box's own
    gap_ns: int = 0  #: between one packet and the next


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsInjector:
    """How one of a box's injectors answers a DNS query."""

    name: str
    a: tuple[bytes, ...] = ()  #: one of these, by chance, for an A query
    aaaa: tuple[bytes, ...] = ()
    rcode: int = 0  #: 3: NXDOMAIN
    answer_ttl: int = 60  #: seconds
    flags: int | None = None  #: the DNS flags word as it is; None: 0x8180 or 0x8100 after the query's RD bit
    authoritative: bool = False
    copies: int = 1
    ttl: Draw = Draw(64, 64)
    ip_id: Draw = Draw(0, 65_535)
    df: bool = False
    reaction_ns: Draw | None = None
    gap_ns: int = 0


#: who is inside when the policy does not say: private space and the lab's own subscribers
INSIDE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "2001:db8:1::/48")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """The whole of what a box is able to see and do."""

    placement: Placement = Placement.IN_PATH
    tcp: Tcp = field(default_factory=Tcp)
    reassembly: Reassembly = field(default_factory=Reassembly)
    inspect: Inspect = field(default_factory=Inspect)
    limits: Limits = field(default_factory=Limits)
    verify_checksums: bool = False  #: packets with a wrong IP or transport checksum are not believed
    minimum_ttl: int = 0  #: packets with a lower TTL are not believed: they may not reach the server
    extension_headers: bool = True  #: IPv6 extension headers are walked; else such a packet is not read
    reaction_ns: Draw = Draw(0, 0)  #: from the trigger to what the box does about it
    inside: tuple[Network, ...] = INSIDE
    injectors: Mapping[str, Injector] = field(default_factory=dict)
    dns_injectors: Mapping[str, DnsInjector] = field(default_factory=dict)
