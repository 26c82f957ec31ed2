"""The words of `box:`: what one box is able to see and do. They become the values of `ability`.

Defaults are not repeated here: what a file leaves out, the dataclasses of `ability` decide.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from functools import partial
from typing import TypeVar

from middlebox.ability import (
    Ability,
    DnsInjector,
    EndCheck,
    EndEffect,
    Handshake,
    Header,
    Injector,
    Inspect,
    Limits,
    Overlap,
    Placement,
    Reassembly,
    Segment,
    Sequence,
    Tcp,
)
from middlebox.grammar.collection import Key, ListOf, Record, Table, key
from middlebox.grammar.headers import FLAGS, IPV4, IPV6, NETWORK, PAYLOAD, header_number
from middlebox.grammar.shape import TRUTH, Become, Context, Forms, Leaf, Mismatch, become, words
from middlebox.grammar.source import Mapping, Scalar
from middlebox.grammar.units import SIZE, TIME, TIMES, integer
from middlebox.packet import ACK, RST
from middlebox.verdict import Direction

E = TypeVar("E", bound=Enum)


def _choice(enum: type[E]) -> Leaf[E]:
    return words({str(member.value): member for member in enum})


def _set(enum: type[E], what: str, *, least: int = 0) -> Become[frozenset[E]]:
    return become(
        ListOf(_choice(enum), what, least=least),
        frozenset,
        lambda members: [member.value for member in enum if member in members],
    )


TTL = header_number(1, 255, "a TTL")
IP_ID = header_number(0, 65_535, "an IP identification", random=True)
WINDOW = header_number(0, 65_535, "a TCP window", random=True)
COPIES = integer(1, 100)

TOWARD: Leaf[frozenset[Direction]] = words(
    {
        "both": frozenset(Direction),
        "client": frozenset({Direction.TO_CLIENT}),
        "server": frozenset({Direction.TO_SERVER}),
    }
)
_NUMBERS: Leaf[bool] = words({"real": True, "zero": False})

#: the keys that any forged packet has
PACKET_KEYS = (
    key("ttl", TTL, "TTL (hop limit) with which the packet leaves the box; 'mirror': the trigger's own, as it came"),
    key("ip_id", IP_ID, "IPv4 identification"),
    key("df", TRUTH, "IPv4: do not fragment"),
    key("reaction", TIMES, "time from the trigger to the first packet; left out: the box's own", "reaction_ns"),
)
GAP = key("gap", TIME, "time between one packet and the next", "gap_ns")
INJECTOR_KEYS: tuple[Key, ...] = (
    key("flags", FLAGS, "TCP flags (RFC 9293, 3.1)"),
    key("toward", TOWARD, "the end that it sends to"),
    key("copies", COPIES, "identical packets for each sequence offset"),
    key(
        "sequence",
        ListOf(integer(-(2**31), 2**31), "sequence offsets in bytes", alone=True),
        "offsets from the sequence number that the receiver expects, one packet each",
    ),
    *PACKET_KEYS,
    key("window", WINDOW, "TCP window"),
    key("payload", PAYLOAD, "bytes behind the header"),
    key("sequence_numbers", _NUMBERS, "zero: both numbers are 0, whatever the connection's are", "real_sequence"),
    GAP,
)

INJECTOR: Record[Injector] = Record(
    "an injector",
    INJECTOR_KEYS,
    partial(Injector, name="", flags=RST | ACK),
    defaults={
        "flags": RST | ACK,
        "toward": frozenset(Direction),
        "copies": 1,
        "ttl": Injector(name="", flags=0).ttl,
        "ip_id": Injector(name="", flags=0).ip_id,
        "window": Injector(name="", flags=0).window,
        "df": False,
        "real_sequence": True,
    },
)


def _rcode(nxdomain: bool) -> int:
    return 3 if nxdomain else 0


def _says_something(values: dict[str, object], node: Mapping, context: Context) -> None:
    answers = bool(values.get("a") or values.get("aaaa"))
    if not answers and not values.get("rcode"):
        context.refuse(node.place, "a DNS injector that answers nothing", "a, aaaa, or nxdomain: true")
    if answers and values.get("rcode"):
        context.refuse(node.place, "a DNS injector with addresses and 'nxdomain: true'", "one of the two")


def _answer_ttl(node: Scalar) -> int:
    seconds, rest = divmod(TIME.parse(node), 10**9)
    if rest or seconds >= 2**31:  # RFC 2181, 8
        raise Mismatch("whole seconds, fewer than 2147483648")
    return seconds


_ANSWER_TTL: Leaf[int] = Leaf(
    "whole seconds such as '60 s'", _answer_ttl, TIME.schema(), lambda seconds: f"{seconds} s"
)

DNS_INJECTOR_KEYS: tuple[Key, ...] = (
    key("a", ListOf(IPV4, "IPv4 addresses", alone=True), "forged addresses for an A query; one of them, by chance"),
    key("aaaa", ListOf(IPV6, "IPv6 addresses", alone=True), "forged addresses for an AAAA query"),
    key("nxdomain", become(TRUTH, _rcode), "say that the name does not exist", "rcode"),
    key(
        "answer_ttl",
        _ANSWER_TTL,
        "TTL of the forged record, whole seconds",
    ),
    key(
        "flags", integer(0, 0xFFFF), "the DNS flags word as it is; left out: 0x8180, or 0x8100 after the query's RD bit"
    ),
    key("authoritative", TRUTH, "set the AA bit"),
    key("copies", COPIES, "identical answers"),
    *PACKET_KEYS,
    GAP,
)

DNS_INJECTOR: Record[DnsInjector] = Record(
    "a DNS injector",
    DNS_INJECTOR_KEYS,
    partial(DnsInjector, name=""),
    defaults={"answer_ttl": 60, "authoritative": False, "copies": 1, "df": False},
    check=_says_something,
)


def _possible(values: dict[str, object], node: Mapping, context: Context) -> None:
    """Refuse abilities that contradict each other."""
    handshake = values.get("handshake", Tcp().handshake)
    create = values.get("create", Tcp().create)
    assert isinstance(create, frozenset)
    if handshake is not Handshake.NONE and Segment.SYN not in create:
        place = (node.get("create") or node).place
        context.refuse(
            place,
            "a box that does not make its state at a SYN, but wants to see the handshake before it reads",
            "'create: [syn, ...]', or 'handshake: none'",
        )
    if values.get("end_effect") is EndEffect.RESYNCHRONISE and not values.get("resynchronise"):
        place = (node.get("end_effect") or node).place
        context.refuse(
            place,
            "'end_effect: resynchronise' in a box that no segment resynchronises",
            "'resynchronise: [...]' beside it: the segments that it then believes",
        )
    if values.get("mid_stream") and handshake is Handshake.COMPLETE and "handshake" in values:
        place = (node.get("mid_stream") or node).place
        context.refuse(
            place,
            "'mid_stream: true' beside 'handshake: complete'",
            "one of the two: a flow that is picked up in the middle has no handshake to see",
        )


TCP: Record[Tcp] = Record(
    "tcp",
    (
        key("create", _set(Segment, "segments"), "segments that make a connection known to the box"),
        key("mid_stream", TRUTH, "data of an unknown connection makes it known too"),
        key("resynchronise", _set(Segment, "segments"), "segments that move the expected sequence number as they say"),
        key("end", _set(Segment, "segments"), "segments that end a connection for the box"),
        key("end_check", _choice(EndCheck), "what such a segment must have right"),
        key("end_effect", _choice(EndEffect), "what the box then does"),
        key("sequence", _choice(Sequence), "which sequence numbers it accepts data at"),
        key("handshake", _choice(Handshake), "how much of the handshake it must have seen before it reads data"),
        key("header", _choice(Header), "which TCP headers it reads; plain: exactly 20 bytes, no option"),
        key("idle", TIME, "a silent connection is forgotten after this long", "idle_ns"),
    ),
    Tcp,
    check=_possible,
)

_REASSEMBLY: Record[Reassembly] = Record(
    "reassembly",
    (
        key("segments", TRUTH, "TCP segments into a stream"),
        key("overlap", _choice(Overlap), "which copy of a byte counts when two disagree; strict: it stops reading"),
        key("window", SIZE, "bytes beyond the expected sequence number that it keeps"),
        key("buffer", SIZE, "bytes of one message that it keeps, each direction"),
        key("records", TRUTH, "a TLS handshake message over several records"),
        key(
            "quic_frames",
            TRUTH,
            "a ClientHello from several CRYPTO frames of QUIC; else from a packet's first frame alone",
        ),
        key("quic_datagrams", TRUTH, "a ClientHello over several QUIC datagrams"),
        key("fragments", TRUTH, "IP fragments into a datagram"),
        key("max_fragments", integer(2, 8192), "fragments of one datagram"),
        key("fragment_timeout", TIME, "how long it waits for the rest of a datagram", "fragment_timeout_ns"),
    ),
    Reassembly,
)

NO_REASSEMBLY = Reassembly(segments=False, records=False, quic_frames=False, quic_datagrams=False, fragments=False)

REASSEMBLY: Forms[Reassembly] = Forms(
    scalar=become(TRUTH, lambda able: Reassembly() if able else NO_REASSEMBLY), mapping=_REASSEMBLY
)

INSPECT: Record[Inspect] = Record(
    "inspect",
    (
        key("directions", _set(Direction, "directions", least=1), "which side's payload it reads"),
        key("packets", integer(0), "packets with payload of a flow that it reads; 0: no limit"),
        key("bytes", SIZE, "payload bytes of a TCP direction that it reads; left out: no limit"),
        key(
            "stranger",
            SIZE,
            "a first payload of at least this size that it cannot read ends its interest in the TCP connection",
        ),
    ),
    Inspect,
)

LIMITS: Record[Limits] = Record(
    "limits",
    (
        key("flows", integer(1), "flows that it remembers; beyond, the oldest goes"),
        key("residual", integer(1), "entries of residual censorship"),
        key("buffered", SIZE, "bytes of all connections that wait to be read; beyond, a connection is given up"),
        key("fragments", integer(1), "datagrams in pieces"),
        key("buckets", integer(1), "buckets and queues that several flows share"),
    ),
    Limits,
)

BOX: Record[Ability] = Record(
    "box",
    (
        key(
            "placement",
            _choice(Placement),
            "on-path: sees a copy and can only inject; in-path: can drop, hold, rewrite",
        ),
        key("reaction", TIMES, "time from a trigger to what the box does about it", "reaction_ns"),
        key("inside", ListOf(NETWORK, "networks", alone=True), "the subscribers' networks", "inside"),
        key(
            "checksums",
            words({"verify": True, "ignore": False}),
            "verify: packets with a wrong checksum are not believed",
            "verify_checksums",
        ),
        key("minimum_ttl", integer(0, 255), "packets with a lower TTL are not believed: they may not reach the server"),
        key("extension_headers", TRUTH, "IPv6 extension headers are walked; else such packets are not read"),
        key("tcp", TCP, "which TCP it believes"),
        key("reassembly", REASSEMBLY, "what it can put together again; false: nothing"),
        key("inspect", INSPECT, "how far into a flow it looks"),
        key("limits", LIMITS, "how much it can remember"),
        key(
            "injectors",
            Table("TCP injectors", INJECTOR, lambda name, made: replace(made, name=name)),
            "named injectors of TCP segments, for 'reset: {injectors: [...]}'",
        ),
        key(
            "dns_injectors",
            Table("DNS injectors", DNS_INJECTOR, lambda name, made: replace(made, name=name)),
            "named injectors of DNS answers, for 'dns: {injectors: [...]}'",
        ),
    ),
    Ability,
)
