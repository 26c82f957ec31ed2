"""Fully encrypted traffic: what looks like nothing, by the rule that China's firewall applied from 2021 to 2023.

Looks at the first payload of the client's alone, over TCP; that of a segment, not of a stream put together. It names no
protocol: Shadowsocks, VMess and obfs4 look so, and so may anything else, so that it claims no flow.

Source: Wu et al., "How the Great Firewall of China Detects and Blocks Fully Encrypted Traffic", USENIX Security 2023,
section 4 (the exemptions Ex1 to Ex5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from middlebox.dissect.base import ENDLESS, NOT_MINE, Fact, Field, Kind, Reading, Reads, found
from middlebox.verdict import Direction

#: Ex1: at most 3.4 or at least 4.6 set bits a byte exempt; in tenths
FEW_BITS, MANY_BITS = 34, 46
#: Ex2: so many printable bytes at the beginning exempt
PREFIX = 6
#: Ex3: a larger share of printable bytes exempts; in percent
SHARE = 50
#: Ex4: a longer run of printable bytes exempts
RUN = 20

_PRINTABLE = bytes(range(0x20, 0x7F))
#: printable bytes as one letter, the others as spaces: the words of the outcome are the runs
_RUNS = bytes(0x78 if 0x20 <= code < 0x7F else 0x20 for code in range(256))
_BEGINNING = re.compile(rb"[\x20-\x7e]*")
#: Ex5: TLS (handshake or data, SSL 3 to what may come) and the methods that are too short for Ex2
_KNOWN = re.compile(rb"[\x16\x17]\x03[\x00-\x09]|GET |PUT |POST |HEAD ")


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPayload(Fact):
    """The first payload of a client, and whether it looks fully encrypted."""

    random: bool  #: none of the five exemptions applies
    bits: int  #: set bits a byte, in hundredths, rounded down
    printable_prefix: int  #: printable bytes at the beginning
    printable_share: int  #: in percent, rounded down
    printable_run: int  #: the longest
    known: bool  #: it begins as TLS or HTTP


@dataclass(frozen=True, slots=True)
class LaterPayload(Fact):
    """Any payload after the first: it has none of the fields."""


def judge(data: bytes) -> FirstPayload:
    """Judge a payload, which is not empty."""
    size = len(data)
    ones = int.from_bytes(data, "big").bit_count()
    prefix = len(_BEGINNING.match(data)[0])  # type: ignore[index]  # it matches nothing at the least
    printable = size - len(data.translate(None, _PRINTABLE))
    run = max(map(len, data.translate(_RUNS).split()), default=0)
    known = _KNOWN.match(data) is not None
    return FirstPayload(
        random=size * FEW_BITS < ones * 10 < size * MANY_BITS
        and prefix < PREFIX
        and printable * 100 <= size * SHARE
        and run <= RUN
        and not known,
        bits=ones * 100 // size,
        printable_prefix=prefix,
        printable_share=printable * 100 // size,
        printable_run=run,
        known=known,
    )


class _Following:
    """One flow: whether its first payload has been judged."""

    __slots__ = ("_told",)

    held = 0

    def __init__(self) -> None:
        self._told = False

    def take(self, data: bytes, direction: Direction) -> Reading:
        """Judge what the client says first; a box that reads each segment for itself gives the later ones as well."""
        if direction is Direction.TO_CLIENT or not data:
            return NOT_MINE
        if self._told:
            return found(LaterPayload(), ENDLESS)
        self._told = True
        return found(judge(data), ENDLESS)


class Encrypted:
    """The dissector."""

    __slots__ = ()

    name = "encrypted"
    transports = frozenset({"tcp"})  # the paper found that UDP was left alone
    repeats = False
    claims = False
    fields = (
        Field(
            name="encrypted.random",
            kind=Kind.FLAG,
            about="the client's first payload looks fully encrypted: none of the five published exemptions applies",
            attribute="random",
            noun="the statement that the first payload looks fully encrypted",
        ),
        Field(
            name="encrypted.bits",
            kind=Kind.NUMBER,
            about="set bits a byte in the first payload, in hundredths, rounded down: 400 of random bytes",
            attribute="bits",
            noun="hundredths of set bits a byte in the first payload",
        ),
        Field(
            name="encrypted.printable_prefix",
            kind=Kind.NUMBER,
            about="printable bytes at the beginning of the first payload",
            attribute="printable_prefix",
            noun="the number of printable bytes that the first payload begins with",
        ),
        Field(
            name="encrypted.printable_share",
            kind=Kind.NUMBER,
            about="share of printable bytes in the first payload, in percent, rounded down",
            attribute="printable_share",
            noun="the percentage of printable bytes in the first payload",
        ),
        Field(
            name="encrypted.printable_run",
            kind=Kind.NUMBER,
            about="the longest run of printable bytes in the first payload",
            attribute="printable_run",
            noun="the longest run of printable bytes in the first payload",
        ),
        Field(
            name="encrypted.known",
            kind=Kind.FLAG,
            about="the first payload begins as TLS or HTTP do",
            attribute="known",
            noun="the statement that the first payload begins as TLS or HTTP do",
        ),
    )

    def follow(self, transport: str, reads: Reads) -> _Following:
        """Begin to follow a flow."""
        return _Following()

    def read(self, data: bytes, transport: str, reads: Reads) -> Reading:
        """Judge a first payload."""
        return _Following().take(data, Direction.TO_SERVER)


DISSECTOR: Encrypted = Encrypted()
