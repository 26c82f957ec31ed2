"""The story of one flow, packet by packet: what was seen, what the box believed, what it did, in words for people.

It decides nothing and draws no conclusions; the sentences about what was believed are the engine's own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from middlebox.drivers.capture import Captured
from middlebox.flow import flow_text, transport_name
from middlebox.looking import flag_names
from middlebox.packet import ICMP, ICMPV6, TCP, UDP, PacketView, address_text, view
from middlebox.verdict import Decision, Direction, Emission, Verdict

MOST_CANDIDATES = 20

_MASK = 0xFFFF_FFFF
_HALF = 1 << 31
_MS = 1_000_000


def find_flows(part: str, flows: Sequence[str]) -> list[int]:
    """The indices of the flows that are meant by a whole text, an unambiguous part of it, or a number from 1.

    `flows` in the order of their numbers. A bare number is first a port, then a flow's number; `#7` is always the
    flow's number.
    """
    wanted = part.strip()
    if wanted.startswith("#") and wanted[1:].isdigit():
        return [int(wanted[1:]) - 1] if 0 < int(wanted[1:]) <= len(flows) else []
    if wanted in flows:
        return [flows.index(wanted)]
    if wanted.isdigit():
        port = re.compile(rf":{wanted}(?=>|$)")
        ported = [index for index, text in enumerate(flows) if port.search(text)]
        if ported:
            return ported
        return [int(wanted) - 1] if 0 < int(wanted) <= len(flows) else []
    if not wanted:
        return []
    bounded = re.compile(rf"(?<![\w]){re.escape(wanted)}(?![\w])", re.IGNORECASE)
    return [index for index, text in enumerate(flows) if bounded.search(text)]


def candidates(wanted: str, found: range | list[int], flows: list[str], ambiguous: bool) -> str:
    """What to say when a flow was not named without doubt: the candidates, one a line."""
    if not flows:
        return "the capture has no flows: none of its packets could be read"
    what = f"{len(found)} flows fit '{wanted}'" if ambiguous else f"no flow fits '{wanted}'; there are"
    lines = [f"  {index + 1}  {flows[index]}" for index in found[:MOST_CANDIDATES]]
    if len(found) > MOST_CANDIDATES:
        lines.append(f"  and {len(found) - MOST_CANDIDATES} more")
    return "\n".join([f"{what}:", *lines, "give a longer part, or --explain '#N' for flow N of this list"])


def same_ends(packet: bytes, flow: str) -> bool:
    """True for a fragment between the flow's two addresses: it has no ports, and so no flow of its own."""
    seen = view(packet)
    if seen is None or not seen.is_fragment:
        return False
    transport, _, ends = flow.partition(" ")
    if transport_name(seen.proto) != transport:
        return False
    return {address_text(seen.src), address_text(seen.dst)} == {_address(end) for end in ends.split(">")}


def _address(end: str) -> str:
    """The address in "10.0.0.1:40000", "[2001:db8::1]:40000", or an address alone."""
    if end.startswith("["):
        return end[1:].partition("]")[0]
    return end.partition(":")[0] if end.count(":") == 1 else end


class Story:
    """Tells the packets of one flow, as they come."""

    def __init__(self, flow: str) -> None:
        self._flow = flow
        self._first_ns: int | None = None
        self._base: dict[tuple[bytes, int], int] = {}  # of each end: the sequence number that is told as 0

    def tell(self, packet: Captured, decision: Decision, believed: Sequence[str]) -> Iterator[str]:
        """The lines about one packet; `believed`: the engine's sentences about it."""
        if self._first_ns is None:
            self._first_ns = decision.t_ns
        since = f"{(decision.t_ns - self._first_ns) / 1e9:.6f} s"
        seen = view(packet.ip or b"")
        if seen is None:
            return
        yield f"packet {decision.number}  +{since}  {self._way(seen)}  {self._words(seen)}"
        for sentence in believed:
            if sentence != decision.reason:
                yield f"    {sentence}"
        yield f"    -> {_fate(decision)}"
        for words, copies in Counter(self._injected(one, decision.t_ns) for one in decision.injected).items():
            yield f"    -> injects {words}" + (f" ({copies} copies)" if copies > 1 else "")

    def _way(self, seen: PacketView) -> str:
        if flow_text(seen.proto, seen.src, seen.src_port, seen.dst, seen.dst_port) == self._flow:
            return "client > server"
        if flow_text(seen.proto, seen.dst, seen.dst_port, seen.src, seen.src_port) == self._flow:
            return "server > client"
        return "a fragment"

    def _words(self, seen: PacketView) -> str:
        """Flags, relative numbers and length, as far as the protocol has them."""
        length = f"{seen.payload_len} byte{'' if seen.payload_len == 1 else 's'}"
        life = f"ttl {seen.ttl}"
        if seen.fragment_offset:
            return f"from byte {seen.fragment_offset} of its datagram, {length}, {life}"
        more = ", first fragment" if seen.more_fragments else ""
        if seen.proto != TCP:
            name = {UDP: "UDP", ICMP: "ICMP", ICMPV6: "ICMPv6"}.get(seen.proto, f"protocol {seen.proto}")
            return f"{name} {length}, {life}{more}"
        if seen.malformed:
            more += ", header malformed"
        flags = "+".join(flag_names(seen.flags)) or "no flags"
        sender, receiver = (seen.src, seen.src_port), (seen.dst, seen.dst_port)
        words = f"{flags} seq {self._relative(sender, seen.seq, 'SYN' in flags)}"
        if "ACK" in flags:
            words += f" ack {self._relative(receiver, seen.ack, False, first=-1)}"
        return f"{words}, {length}, {life}{more}"

    def _relative(self, end: tuple[bytes, int], number: int, anew: bool, *, first: int = 0) -> int:
        """A sequence number counted from the end's SYN, or from the first number that was seen of it."""
        if anew or end not in self._base:
            self._base[end] = number if anew or not first else (number + first) & _MASK
        distance = (number - self._base[end]) & _MASK
        return distance if distance < _HALF else distance - (1 << 32)

    def _injected(self, emission: Emission, now_ns: int) -> str:
        seen = view(emission.packet)
        toward = "client" if emission.toward is Direction.TO_CLIENT else "server"
        late = emission.at_ns - now_ns
        when = "at once" if late <= 0 else f"{late / _MS:g} ms later"
        if late <= 0 and emission.after_trigger:
            when = "right after it"
        words = "bytes" if seen is None else self._words(seen)
        return f"toward the {toward} ({emission.injector}), {when}: {words}"


def _fate(decision: Decision) -> str:
    """The verdict, and by which rule and why."""
    if decision.verdict is Verdict.DROP:
        words = "dropped"
    elif decision.verdict is Verdict.HOLD:
        words = f"held for {(decision.release_ns - decision.t_ns) / _MS:g} ms"
    elif decision.rewritten is not None:
        words = "passes, rewritten" + _into(decision.rewritten)
    else:
        words = "passes"
    if not decision.rule:
        return words
    named = "" if f"'{decision.rule}'" in decision.reason else f"rule '{decision.rule}', "
    return f"{words} ({decision.action}): {named}{decision.reason}"


def _into(rewritten: bytes) -> str:
    seen = view(rewritten)
    if seen is None or seen.proto != TCP:
        return ""
    return f" into {'+'.join(flag_names(seen.flags)) or 'no flags'} with {seen.payload_len} bytes"
