"""What a policy cannot be interested in, as statements of nft: such packets go by the box without being shown to it.

What is not surely such a packet is shown. Which packets a policy can be interested in, `middlebox.interest` says.
"""

from __future__ import annotations

from collections.abc import Iterator

from middlebox.drivers.attach import LET_BY
from middlebox.interest import ALL_PORTS, Interest

#: connections whose acknowledgements need not be shown for now; of those beyond it they all are
MAX_FRESH = 262_144

LET_BY_NOW = f"meta mark set meta mark | {LET_BY:#010x} accept"
_BY = f"counter name let_by {LET_BY_NOW}"
_WHOLE = "ip frag-off & 0x3fff == 0"

#: payload-less segments by the length of the TCP header in words; without IP options, as they practically all are
_WORDS = range(5, 16)


def pure_acks() -> Iterator[str]:
    """Let them by if the handshake was whole; but one in each second is shown, or the box would forget the flow."""
    yield f"  meta length > {40 + 4 * _WORDS[-1]} return"
    yield "  ct status assured ct id @fresh goto bare"
    yield "  add @fresh { ct id }"


def bare() -> Iterator[str]:
    """Let by segments that end where their header ends: nft cannot add lengths up, so there is a rule for each."""
    for words in _WORDS:
        yield f"  tcp doff {words} ip hdrlength 5 ip length {20 + 4 * words} {_WHOLE} {_BY}"
        yield f"  tcp doff {words} ip6 nexthdr tcp ip6 length {4 * words} {_BY}"


def prefilter(needed: Interest) -> Iterator[str]:
    """Let by what the box need not see; what is not surely such a packet is seen."""
    by, whole = _BY, _WHOLE
    if not needed.ipv6:
        yield f"  meta nfproto ipv6 {by}"
    if not needed.tcp:
        yield f"  ip protocol tcp {whole} {by}"
        yield f"  ip6 nexthdr tcp {by}"
    elif not needed.pure_acks:
        yield "  tcp flags & (syn | ack) == syn update @fresh { ct id }"
        yield "  tcp flags & (fin | syn | rst | psh | ack | urg) == ack jump acks"
    if needed.udp != ALL_PORTS:
        if needed.udp:
            ports = ", ".join(f"{low}-{high}" if low < high else str(low) for low, high in needed.udp)
            # not by two inequalities in one rule: of single ports nft 1.0.6 makes one comparison of four bytes
            yield f"  udp sport {{ {ports} }} accept"
            yield f"  udp dport {{ {ports} }} accept"
        yield f"  ip protocol udp {whole} {by}"
        yield f"  ip6 nexthdr udp {by}"
    if not needed.icmp:
        yield f"  ip protocol icmp {whole} {by}"
        yield f"  ip6 nexthdr ipv6-icmp {by}"
    if not needed.other:
        yield f"  ip protocol != {{ tcp, udp, icmp }} {whole} {by}"
