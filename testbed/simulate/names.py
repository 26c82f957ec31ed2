"""DNS in virtual time: a resolver that answers for the sites and for nothing else, and a client that asks once.

Real messages (RFC 1035), as the lab's dnsmasq and `dig +tries=1` exchange them; neither caches anything.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random
from struct import Struct
from typing import Any

from simpy.events import Event

from middlebox.forge import dns_answer
from testbed import failure
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.host import Host
from testbed.sites import Site

PORT = 53
A, AAAA = 1, 28
_HEAD = Struct("!6H")
_RECORD = Struct("!HHIH")
#: recursion desired, and authentic data, which dig asks for (RFC 6840, 5.7)
_FLAGS = 0x0120
#: an OPT record for answers of up to 1,232 bytes (RFC 6891, 6.1.2)
_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
#: names of the codes that answers carry; what else there is, nobody here sends
_CODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
_NXDOMAIN = 3
#: seconds that the lab's records are valid
_TTL = 60
#: compression pointers that are followed in one name; each leads backwards, so more would only be a loop
_MAX_POINTERS = 16


def query(name: str, kind: int, ident: int) -> bytes:
    """A question for a name's addresses: A (1) or AAAA (28)."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.rstrip(".").split("."))
    return _HEAD.pack(ident, _FLAGS, 1, 0, 0, 1) + labels + b"\0" + kind.to_bytes(2, "big") + b"\0\1" + _OPT


def question(message: bytes) -> tuple[str, int] | None:
    """The name, in small letters, and the kind that a message asks for; None if it cannot be read."""
    if len(message) < 12 or message[4:6] == b"\0\0":
        return None
    read = _name(message, 12)
    if read is None or read[1] + 4 > len(message):
        return None
    return read[0], int.from_bytes(message[read[1] : read[1] + 2], "big")


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer says."""

    ident: int
    code: str
    name: str
    addresses: tuple[str, ...]


def read_reply(message: bytes) -> Reply | None:
    """Read an answer; None for what is none, or is broken."""
    asked = question(message)
    if asked is None or not message[2] & 0x80:
        return None
    ident, flags, questions, answers, _, _ = _HEAD.unpack_from(message)
    at = 12
    for _ in range(questions):
        read = _name(message, at)
        if read is None:
            return None
        at = read[1] + 4
    addresses = []
    for _ in range(answers):
        read = _name(message, at)
        if read is None or read[1] + _RECORD.size > len(message):
            return None
        kind, _, _, size = _RECORD.unpack_from(message, read[1])
        begin = read[1] + _RECORD.size
        at = begin + size
        if at > len(message):
            return None
        if (kind, size) in ((A, 4), (AAAA, 16)):
            addresses.append(str(ip_address(message[begin:at])))
    return Reply(ident, _CODES.get(flags & 15, str(flags & 15)), asked[0], tuple(addresses))


def _name(message: bytes, at: int) -> tuple[str, int] | None:
    """A name, and where what follows it begins."""
    labels: list[str] = []
    end = -1
    pointers = 0
    while at < len(message):
        size = message[at]
        if size >= 0xC0:
            pointers += 1
            if at + 2 > len(message) or pointers > _MAX_POINTERS:
                return None
            end = at + 2 if end < 0 else end
            at = (size & 0x3F) << 8 | message[at + 1]
            continue
        at += 1
        if not size:
            return ".".join(labels).lower(), at if end < 0 else end
        labels.append(message[at : at + size].decode("ascii", "replace"))
        at += size
    return None


def serve_names(host: Host, sites: Sequence[Site]) -> None:
    """Answer the questions that come to a host: addresses of the sites, NXDOMAIN for all else."""
    known = {site.name: (ip_address(site.ipv4).packed, ip_address(site.ipv6).packed) for site in sites}
    socket = host.datagrams(PORT)

    def answer() -> Generator[Event, Any, None]:
        while True:
            asked, remote, local = yield from socket.receive_from()
            what = question(asked)
            addresses = known.get(what[0]) if what is not None else None
            made = dns_answer(
                asked,
                addresses=addresses or (),
                rcode=0 if addresses else _NXDOMAIN,
                answer_ttl=_TTL,
                authoritative=bool(addresses),
            )
            if made is not None:
                socket.send(made, remote, source=local)

    host.clock.process(answer())


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look-up gave."""

    addresses: tuple[str, ...] = ()
    failure: str = ""  #: OONI's string; "" if there are addresses
    seconds: float = 0.0
    size: int = 0  #: bytes of the answer


def look_up(
    host: Host, server: str, name: str, *, random: Random, family: int = 4, limit_s: float = 5.0, source: str = ""
) -> Generator[Event, Any, Found]:
    """Ask a resolver once, and believe the first answer that fits the question, as clients do."""
    clock = host.clock
    begin_ns = clock.now_ns
    ident = random.getrandbits(16)
    socket = host.datagrams(address=source, remote=(server, PORT))
    socket.send(query(name, AAAA if family == 6 else A, ident))

    def found(addresses: tuple[str, ...], why: str, size: int = 0) -> Found:
        return Found(addresses=addresses, failure=why, seconds=(clock.now_ns - begin_ns) / SECOND_NS, size=size)

    try:
        while True:
            left_s = limit_s - (clock.now_ns - begin_ns) / SECOND_NS
            message, _ = yield from socket.receive(max(0.0, left_s))
            reply = read_reply(message)
            if reply is None or reply.ident != ident or reply.name != name.lower():
                continue
            why = failure.from_dns(reply.code)
            if not why and not reply.addresses:
                why = failure.DNS_NO_ANSWER
            return found(() if why else reply.addresses, why, len(message))
    except TimeoutError:
        return found((), failure.TIMEOUT)
    except ConnectionRefusedError:
        return found((), failure.REFUSED)
    except OSError as error:
        return found((), failure.from_text(str(error)) or failure.unknown(str(error)))
    finally:
        socket.close()
