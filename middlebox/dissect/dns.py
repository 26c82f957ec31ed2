"""DNS: a query over UDP, or over TCP behind its two length bytes.

Reads no response and none of the other operations (UPDATE, NOTIFY). A DNS message has no magic number, so everything
is checked that a resolver would check: what is not a whole, well-formed query without a byte too many is none.

Sources: RFC 1035 sections 4.1 and 4.2.2; RFC 7766 section 8 (TCP); RFC 4343 (letters and escapes in names);
RFC 3597 section 5 (types without a name); RFC 6891 (EDNS); RFC 1995 (IXFR's authority record).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from middlebox.dissect.base import NOT_MINE, Fact, Field, Kind, Reading, Reads, found, need_more

#: bytes of the largest query that is believed. EDNS with padding (RFC 8467) makes 128 to 512; the bound keeps a TCP
#: stream of some other protocol from being waited for because its first two bytes look like a length
MAX_QUERY: Final = 4_096
#: questions in one message; RFC 9619 allows one, tools that try to confuse a box send a few
MAX_QUESTIONS: Final = 16
#: additional records in a query: OPT, TSIG, SIG(0), a key
MAX_ADDITIONAL: Final = 4
#: RFC 1035, 2.3.4: bytes of a name on the wire
MAX_NAME: Final = 255
#: bytes of one label; the two highest bits of a length are those of a compression pointer
MAX_LABEL: Final = 63

_HEADER: Final = 12
_QUESTION_TAIL: Final = 4  # type, class
_RECORD_TAIL: Final = 10  # type, class, TTL, length
#: header, the root's name, type and class
_SHORTEST: Final = _HEADER + 1 + _QUESTION_TAIL

_QR: Final = 0x8000
_OPCODE: Final = 0x7800
_RD: Final = 0x0100
_Z: Final = 0x0040
_RCODE: Final = 0x000F
#: IN, CH, HS, NONE, ANY
_CLASSES: Final = frozenset({1, 3, 4, 254, 255})

_COUNTS: Final = Struct(">6H")
_TWO_U16: Final = Struct(">HH")
_LENGTH: Final = Struct(">H")

#: words for types that clients ask for (IANA's registry); others are "TYPE" and the number
TYPES: Final[dict[int, str]] = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    13: "HINFO",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    29: "LOC",
    33: "SRV",
    35: "NAPTR",
    37: "CERT",
    39: "DNAME",
    43: "DS",
    44: "SSHFP",
    46: "RRSIG",
    47: "NSEC",
    48: "DNSKEY",
    50: "NSEC3",
    51: "NSEC3PARAM",
    52: "TLSA",
    53: "SMIMEA",
    59: "CDS",
    60: "CDNSKEY",
    61: "OPENPGPKEY",
    64: "SVCB",
    65: "HTTPS",
    99: "SPF",
    251: "IXFR",
    252: "AXFR",
    255: "ANY",
    256: "URI",
    257: "CAA",
}

#: a name's bytes as text: letters in lower case; a dot or backslash inside a label behind a backslash; what is not
#: printable as three decimal digits behind one
_TEXT: Final[tuple[str, ...]] = tuple(
    [
        f"\\{chr(code)}" if code in (0x2E, 0x5C) else chr(code).lower() if 0x20 < code < 0x7F else f"\\{code:03d}"
        for code in range(256)
    ]
)


@dataclass(slots=True, kw_only=True)
class DnsQuery(Fact):
    """One query; name and type are those of its first question."""

    id: int
    name: str  #: lower case, no dot at its end; "." for the root
    qtype: int
    qclass: int
    questions: int
    recursion_desired: bool
    message: bytes  #: the whole DNS message; over TCP without its two length bytes

    @property
    def type_word(self) -> str:
        """ "A", "HTTPS", "TYPE65280"."""
        return TYPES.get(self.qtype) or f"TYPE{self.qtype}"


class Dns:
    """The dissector."""

    __slots__ = ()

    name = "dns"
    transports = frozenset({"udp", "tcp"})
    repeats = True
    claims = True
    fields = (
        Field(name="dns.name", kind=Kind.NAME, about="name that the first question asks for", attribute="name"),
        Field(name="dns.type", kind=Kind.TEXT, about='its type: "A", "AAAA", "HTTPS", ...', attribute="type_word"),
        Field(name="dns.questions", kind=Kind.NUMBER, about="number of questions", attribute="questions"),
    )

    def follow(self, transport: str, reads: Reads) -> None:
        """Each message stands for itself."""

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """Read one query; a datagram is whole or it is none."""
        have = len(data)
        if transport != "tcp":
            query = None if have > MAX_QUERY else parse_query(data, 0, have)
            return NOT_MINE if query is None else found(query, have)
        if have < 2:
            return NOT_MINE if have and data[0] > MAX_QUERY >> 8 else need_more(have + 1)
        size = _LENGTH.unpack_from(data, 0)[0]
        if size < _SHORTEST or size > MAX_QUERY:
            return NOT_MINE
        if have >= 6 and _LENGTH.unpack_from(data, 4)[0] & (_QR | _OPCODE | _Z | _RCODE):
            return NOT_MINE
        end = 2 + size
        if have < end:
            return need_more(6 if have < 6 else end)
        query = parse_query(data, 2, end)
        return NOT_MINE if query is None else found(query, end)


def parse_query(data: bytes, start: int, end: int) -> DnsQuery | None:
    """The query at `data[start:end]`; None if it is none."""
    if end - start < _SHORTEST:
        return None
    number, flags, questions, answers, authorities, additional = _COUNTS.unpack_from(data, start)
    if flags & (_QR | _OPCODE | _Z | _RCODE):
        return None
    # IXFR alone puts a record, its SOA, into the authority section of a query
    if not 0 < questions <= MAX_QUESTIONS or answers or authorities > 1 or additional > MAX_ADDITIONAL:
        return None
    at = start + _HEADER
    name = ""
    qtype = qclass = 0
    for index in range(questions):
        labels: list[bytes] | None = [] if index == 0 else None
        at = _name(data, start, at, end, labels)
        if at < 0 or at + _QUESTION_TAIL > end:
            return None
        asked, kind = _TWO_U16.unpack_from(data, at)
        at += _QUESTION_TAIL
        if kind not in _CLASSES:
            return None
        if labels is not None:
            name, qtype, qclass = _text(labels), asked, kind
    for _ in range(authorities + additional):
        at = _name(data, start, at, end, None)
        if at < 0 or at + _RECORD_TAIL > end:
            return None
        at += _RECORD_TAIL + _LENGTH.unpack_from(data, at + 8)[0]
        if at > end:
            return None
    if at != end:
        return None
    return DnsQuery(
        id=number,
        name=name,
        qtype=qtype,
        qclass=qclass,
        questions=questions,
        recursion_desired=bool(flags & _RD),
        message=bytes(data[start:end]),
    )


def _name(data: bytes, start: int, at: int, end: int, labels: list[bytes] | None) -> int:
    """Walk a name, collecting its labels if a list is given; the place after it, or -1 if it is malformed.

    A compression pointer must lead to a place before the piece that holds it (RFC 1035, 4.1.4: a prior occurrence),
    so every walk ends; the length of the whole name is bounded as well.
    """
    after = -1  # the place after the first pointer
    piece = at  # where the labels being walked begin
    total = 1  # the root's byte
    while at < end:
        size = data[at]
        if size == 0:
            return at + 1 if after < 0 else after
        if size >= 0xC0:
            if at + 2 > end:
                return -1
            if after < 0:
                after = at + 2
            target = start + ((size & 0x3F) << 8 | data[at + 1])
            if target < start + _HEADER or target >= piece:
                return -1
            at = piece = target
            continue
        total += size + 1
        if size > MAX_LABEL or total > MAX_NAME or at + 1 + size > end:
            return -1
        if labels is not None:
            labels.append(bytes(data[at + 1 : at + 1 + size]))
        at += 1 + size
    return -1


def _text(labels: list[bytes]) -> str:
    """Labels as text (RFC 4343, 2.1)."""
    if not labels:
        return "."
    plain = b".".join(labels)
    # hyphen and underscore aside, names are letters and digits: no byte of theirs needs an escape
    if plain.count(b".") == len(labels) - 1 and plain.translate(None, b"-_.").isalnum():
        return plain.lower().decode("ascii")
    return ".".join(["".join([_TEXT[code] for code in label]) for label in labels])


DISSECTOR: Dns = Dns()
