"""Which packets can matter to a policy at all, so that a driver need not show the others to the censor.

Conservative: a packet matters unless it is certain, for every conversation, that the decisions on all other packets
are the same without it, and that it passes itself. Fragments always matter. Values only; nothing here sees traffic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from middlebox.ability import Ability, EndCheck, EndEffect, Handshake, Header, Segment
from middlebox.action import Drop, Rewrite, Slow
from middlebox.dissect import DISSECTORS
from middlebox.fields import protocol_of
from middlebox.match import All, AnyOf, InRanges, Is, Match, Not, Present, Test
from middlebox.outlook import waits_for_fact, worth
from middlebox.packet import ACK, FIN, ICMP, ICMPV6, PSH, RST, SYN, TCP, UDP, URG, PacketView
from middlebox.policy import Policy, Rearm, Start

Ports = tuple[tuple[int, int], ...]

#: every datagram matters
ALL_PORTS: Ports = ((0, 65_535),)
_ALL_FLAGS = FIN | SYN | RST | PSH | ACK | URG
#: more ranges of ports than this are not worth a look-up for each packet: then all UDP matters
MAX_RANGES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What a driver must show."""

    tcp: bool = True
    #: TCP segments with ACK alone and without payload. False is for connections whose handshake the driver has
    #: seen, and of which it shows some packet each second: or the box would take them for silent
    pure_acks: bool = True
    udp: Ports = ALL_PORTS  #: one of a datagram's two ports must lie in these ranges; (): no datagram matters
    icmp: bool = True
    other: bool = True  #: what is neither TCP nor UDP nor ICMP
    ipv6: bool = True

    def concerns(self, seen: PacketView) -> bool:
        """True if this packet matters; the same question as a driver asks its kernel."""
        if seen.is_fragment:
            return True
        if seen.version == 6 and not self.ipv6:
            return False
        if seen.proto == TCP:
            if not self.tcp:
                return False
            pure = seen.flags & _ALL_FLAGS == ACK and not seen.payload_len and not seen.malformed
            return self.pure_acks or not pure
        if seen.proto == UDP:
            return any(low <= port <= high for low, high in self.udp for port in (seen.src_port, seen.dst_port))
        return self.icmp if seen.proto in (ICMP, ICMPV6) else self.other


EVERYTHING = Interest()


def interest(policy: Policy) -> Interest:
    """What can matter under a policy."""
    if any(rule.when.cycle is not None for rule in policy.rules):
        return EVERYTHING  # the first packet of all begins the first turn
    if any(rule.memory is not None for rule in policy.rules):
        # whoever is remembered is struck at any packet
        return Interest(pure_acks=_acks_matter(policy))
    matches = [rule.match for rule in policy.rules]

    def may(transport: str, version: int) -> bool:
        return any(_may(match, transport, version) is not False for match in matches)

    def either(transport: str) -> bool:
        return may(transport, 4) or may(transport, 6)

    nothing: Ports = ()
    udp = reduce(_joined, (_ports(match) for match in matches if _matches_udp(match)), nothing)
    return Interest(
        tcp=either("tcp"),
        pure_acks=_acks_matter(policy),
        udp=udp if len(udp) <= MAX_RANGES else ALL_PORTS,
        icmp=either("icmp"),
        other=either("other"),
        ipv6=any(may(transport, 6) for transport in ("tcp", "udp", "icmp", "other")),
    )


def fates_last(ability: Ability) -> bool:
    """Whether a flow's disposition holds until its own packets, or what is revoked, end it.

    A box that takes any RST for the end of every connection forgets flows that a driver has left to the kernel.
    """
    return ability.tcp.end_check is not EndCheck.NOTHING or ability.tcp.end_effect is EndEffect.IGNORE


def ends_matter(policy: Policy) -> bool:
    """Whether the FIN and RST of a flow that passes matter.

    Who forgets it then may pick up what goes on of it, or strike it as packets that belong to no flow. And of a flow
    that passes before all has been read of it, only its end tells that a SYN begins another one.
    """
    tcp = policy.ability.tcp
    picks_up = tcp.create != frozenset({Segment.SYN}) or tcp.mid_stream
    return picks_up or worth(policy) or any(not waits_for_fact(rule.match) for rule in policy.rules)


# -- acknowledgements -------------------------------------------------------------------------------------------------


def _acks_matter(policy: Policy) -> bool:
    """Whether an acknowledgement without payload can be struck, or can change what befalls another packet."""
    return _acks_move(policy.ability) or any(
        not waits_for_fact(rule.match)
        or any(_on_every_packet(action, policy.ability) for action in rule.actions)
        or (
            rule.memory is not None
            and (
                rule.memory.start is not Start.DATA
                or rule.memory.rearm is Rearm.ON_PACKET
                or any(_on_every_packet(action, policy.ability) for action in rule.memory.actions)
            )
        )
        for rule in policy.rules
    )


def _acks_move(ability: Ability) -> bool:
    """Whether one can make, move or end a connection of the box, or be the first that it believes of an end."""
    tcp = ability.tcp
    return (
        tcp.create != frozenset({Segment.SYN})
        or tcp.mid_stream
        or Segment.ACK in tcp.resynchronise
        or Segment.ACK in tcp.end
        or tcp.handshake is Handshake.COMPLETE
        # a SYN+ACK that such a box does not believe leaves it to the ACK after it to tell the sequence number
        or tcp.header is Header.PLAIN
        or ability.minimum_ttl > 0
        or not ability.extension_headers
    )


def _on_every_packet(action: object, ability: Ability) -> bool:
    """Whether an action also acts on later packets without payload, or counts them."""
    if isinstance(action, Drop):
        # dropped at once and both ways, it is the driver that drops what it does not show
        at_once = ability.reaction_ns.fixed and ability.reaction_ns.low <= 0 and fates_last(ability)
        return action.after is not None or action.scope.value.startswith("to-") or not at_once
    return isinstance(action, Rewrite | Slow)


# -- transports, versions, ports --------------------------------------------------------------------------------------


def _may(match: Match, transport: str, version: int) -> bool | None:
    """Whether a match holds for the packets of a transport and an IP version: for all, for none, or for some (None)."""
    if isinstance(match, Test):
        return _leaf(match, transport, version)
    if isinstance(match, Not):
        answer = _may(match.part, transport, version)
        return None if answer is None else not answer
    if isinstance(match, All | AnyOf):
        decides = isinstance(match, AnyOf)
        answers = [_may(part, transport, version) for part in match.parts]
        if decides in answers:
            return decides
        return None if None in answers else not decides
    return None


def _leaf(test: Test, transport: str, version: int) -> bool | None:
    name = test.field
    value: object = None
    if name == "transport":
        value = transport
    elif name == "ip.version":
        value = version
    else:
        protocol = protocol_of(name)
        if protocol:
            there = transport in DISSECTORS[protocol].transports
        elif name == "tcp.flags":
            there = transport == "tcp"
        elif name.endswith(".port"):
            there = transport in ("tcp", "udp")
        else:
            there = True
        if there:
            return None
        return isinstance(test.operator, Present) and not test.operator.wanted
    return test.operator.holds(value)


def _matches_udp(match: Match) -> bool:
    return any(_may(match, "udp", version) is not False for version in (4, 6))


def _ports(match: Match) -> Ports:
    """Ranges of which a datagram must have a port to meet a match."""
    if isinstance(match, Test):
        if match.field.endswith(".port"):
            if isinstance(match.operator, Is):
                numbers = sorted({one for one in match.operator.values if isinstance(one, int)})
                return tuple((one, one) for one in numbers)
            if isinstance(match.operator, InRanges):
                return tuple(sorted((max(0, low), min(65_535, high)) for low, high in match.operator.ranges))
        return ALL_PORTS
    if isinstance(match, All):
        # each part must hold, so the ports of any one of them are a bound: the smallest is taken
        return min((_ports(part) for part in match.parts), key=_size, default=ALL_PORTS)
    if isinstance(match, AnyOf):
        nothing: Ports = ()
        return reduce(_joined, (_ports(part) for part in match.parts if _matches_udp(part)), nothing)
    return ALL_PORTS


def _size(ports: Ports) -> int:
    return sum(high - low + 1 for low, high in ports)


def _joined(one: Ports, other: Ports) -> Ports:
    """The union of ranges, without overlaps."""
    made: list[tuple[int, int]] = []
    for low, high in sorted((*one, *other)):
        if made and low <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(made[-1][1], high))
        elif low <= high:
            made.append((low, high))
    return tuple(made)
