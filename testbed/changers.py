"""Circumvention by packets: what changes a client's own segments on their way out, to be read otherwise by a box.

Each is a function from one packet to those that leave in its place, and knows neither network nor clock: a simulated
host calls it as its `outgoing` hook, a lab's host by `testbed.emulate.changing`. They touch the segment that begins a
TLS ClientHello, and pass all else. The techniques are those of Geneva (Bock et al., CCS 2019) and of tools such as
zapret: `split` and `disorder` cut the hello inside of its name, `fake` sends other bytes under the same sequence
numbers first, which die before they reach the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import pack_into

from middlebox.checksum import checksum, transport_checksum
from middlebox.dissect.hello import parse_hello
from middlebox.forge import with_ttl
from middlebox.packet import PSH, TCP, PacketView, view

#: what becomes of one packet, given and taken from the IP header on
Changer = Callable[[bytes], list[bytes]]

#: of a fake: it passes a box next to the subscriber (two routers), and dies before servers abroad (six in `national`)
FAKE_TTL = 4
#: bytes of TLS before the hello's own content: the record's header and the handshake's
_HEADS = 9


def split(raw: bytes) -> list[bytes]:
    """The hello in two segments, cut inside of the name."""
    return _cut(raw)


def disorder(raw: bytes) -> list[bytes]:
    """The hello in two segments, the second one first."""
    return _cut(raw)[::-1]


def fake(raw: bytes) -> list[bytes]:
    """Before the hello, as many zero bytes in its place, with a TTL that does not reach the server."""
    seen = _hello(raw)
    if seen is None:
        return [raw]
    other = _segment(seen, bytes(len(seen.payload)), 0, seen.flags)
    return [with_ttl(other, FAKE_TTL), raw]


CHANGERS: Mapping[str, Changer] = {"split": split, "disorder": disorder, "fake": fake}
ABOUT: Mapping[str, str] = {
    "split": "the ClientHello is cut into two segments inside of its name",
    "disorder": "the ClientHello is cut into two segments, and the second one leaves first",
    "fake": f"zero bytes under the ClientHello's sequence numbers leave before it, with a TTL of {FAKE_TTL}",
}


def _hello(raw: bytes) -> PacketView | None:
    """A segment that begins a ClientHello; None for all else."""
    seen = view(raw)
    if seen is None or seen.proto != TCP or not seen.tcp_at or seen.malformed:
        return None
    content = bytes(seen.payload[:6])
    return seen if content[:2] == b"\x16\x03" and content[5:] == b"\x01" else None


def _cut(raw: bytes) -> list[bytes]:
    """Two segments where one began a hello: cut in the middle of the name, else of the segment."""
    seen = _hello(raw)
    if seen is None or len(seen.payload) < 2:
        return [raw]
    content = bytes(seen.payload)
    at = len(content) // 2
    found = parse_hello(content, _HEADS, len(content))
    name = found.sni.encode() if found is not None and isinstance(found.sni, str) else b""
    if name and name in content:
        at = content.index(name) + len(name) // 2
    return [_segment(seen, content[:at], 0, seen.flags & ~PSH), _segment(seen, content[at:], at, seen.flags)]


def _segment(seen: PacketView, content: bytes, after: int, flags: int) -> bytes:
    """A segment with the headers of another one and its own content, so many bytes later in the stream."""
    head = bytearray(seen.raw[: seen.payload_at])
    at, size = seen.tcp_at, seen.payload_at - seen.tcp_at + len(content)
    pack_into("!I", head, at + 4, (seen.seq + after) & 0xFFFF_FFFF)
    head[at + 13] = flags
    head[at + 16 : at + 18] = b"\0\0"
    pack_into("!H", head, at + 16, transport_checksum(seen.src, seen.dst, TCP, bytes(head[at:]) + content))
    if seen.version == 4:
        pack_into("!H", head, 2, at + size)
        pack_into("!H", head, 10, 0)
        pack_into("!H", head, 10, checksum(bytes(head[:at])))
    else:
        pack_into("!H", head, 4, at + size - 40)
    return bytes(head) + content
