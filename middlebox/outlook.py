"""Whether a rule can still strike a flow, whatever comes: told by what stays as it is for as long as the flow lives.

Conservative: where it is not certain, the rule can. A rule that sleeps may wake, so that schedules are not looked at.
Nothing here strikes; `asking` settles a flow that no rule can touch.
"""

from __future__ import annotations

from typing import Final

from middlebox.ability import Segment
from middlebox.action import Police, Share
from middlebox.chance import fraction
from middlebox.dissect.base import Course, Kind
from middlebox.fields import protocol_of
from middlebox.flow import Flow
from middlebox.looking import FACTS, Looking
from middlebox.match import UNKNOWN, Above, All, AnyOf, Below, InRanges, Is, Match, Not, Present, Test
from middlebox.packet import TCP
from middlebox.passing import Passing
from middlebox.policy import ALWAYS, Policy, Rule
from middlebox.reading import Reader

#: packet fields that are the same for all packets of a flow, its fragments aside, which belong to none
SAME: Final = frozenset(
    {
        *("client.ip", "server.ip", "any.ip", "client.port", "server.port", "any.port"),
        *("ip.version", "transport", "initiator"),
    }
)


#: segments that end a connection; one that others end cannot be foreseen
_ENDS: Final = frozenset({Segment.RST, Segment.RST_ACK, Segment.FIN})


class Outlook:
    """What the rules of one policy can still do to a flow."""

    __slots__ = (
        *("_always", "_asking", "_connections", "_reader", "_seed", "_shared", "_unfinished", "_waiting"),
        "worth",
    )

    def __init__(self, policy: Policy, seed: int, reader: Reader) -> None:
        self._seed = seed
        self._reader = reader
        self._always, self._asking = _divided(policy)
        self._waiting = frozenset(rule.name for rule in policy.rules if waits_for_fact(rule.match))
        self._shared = frozenset(rule.name for rule in policy.rules if self._always and _shares(rule))
        self._connections = _connections(policy)
        self._unfinished = any(map(_may_be_excluded, self._asking))
        self.worth = worth(policy)  #: False: no flow is ever clear

    def clear(self, packet: Passing, look: Looking) -> bool:
        """True if no rule can do anything to the packet's flow any more that it does not suffer already."""
        flow = packet.flow
        if flow is None or not self.worth or (flow.proto == TCP and not self._connections):
            return False
        finished = self._reader.finished(flow)  # then the rules that ask a protocol are never asked again
        if not (finished or self._unfinished or not self._asking):
            return False
        if not all(self._done(rule, packet, flow, look) for rule in self._always):
            return False
        return finished or all(self._done(rule, packet, flow, look) for rule in self._asking)

    def _done(self, rule: Rule, packet: Passing, flow: Flow, look: Looking) -> bool:
        """True if a rule cannot match, or does already all that it can."""
        if rule.slows and rule.threshold is None and flow.suffers(rule):
            return rule.name not in self._shared
        return self._excluded(rule, packet, flow, look)

    def _excluded(self, rule: Rule, packet: Passing, flow: Flow, look: Looking) -> bool:
        # what comes when a connection is over belongs to none, and who its client was is then guessed
        guessed = flow.proto == TCP and rule.name not in self._waiting
        if self._lasting(rule.match, flow, look) is False:
            return not guessed or self._lasting(rule.match, flow, look.turned()) is False
        # a memory is armed again by whatever matches, also where chance spares
        if guessed or rule.chance == 1 or rule.memory is not None or rule.threshold is not None:
            return False
        if fraction(self._seed, rule.name, packet.text) < rule.chance:
            return False
        packet.say(f"whatever comes, chance spares this flow from rule '{rule.name}'")
        return True

    def _lasting(self, match: Match, flow: Flow, look: Looking) -> bool | None:
        """The answer that a match has from now on, whatever comes; None if that is not certain."""
        if isinstance(match, Test):
            return self._leaf(match, flow, look)
        if isinstance(match, Not):
            answer = self._lasting(match.part, flow, look)
            return None if answer is None else not answer
        if isinstance(match, All | AnyOf):
            decides = isinstance(match, AnyOf)
            answers = [self._lasting(part, flow, look) for part in match.parts]
            if decides in answers:
                return decides
            return None if None in answers else not decides
        return None

    def _leaf(self, test: Test, flow: Flow, look: Looking) -> bool | None:
        name = test.field
        if name in SAME:
            return test.test(look)
        told = FACTS.get(name)
        if told is None:
            return None  # of the single packet
        if told.protocol not in flow.facts and self._reader.ignores(told.protocol, flow):
            return isinstance(test.operator, Present) and not test.operator.wanted
        fact, field = flow.facts.get(told.protocol), told.field
        if fact is None or field.course is Course.CHANGES:
            return None
        if flow.following is None or told.protocol not in flow.following:
            return None  # as it will be let go with the next message
        value = field.get(fact)
        if value is None or value is UNKNOWN:
            return None
        if field.course is Course.STAYS or (field.kind is Kind.FLAG and value is True):
            return test.operator.holds(value)
        return _grown(test, value) if isinstance(value, int) and field.kind is Kind.NUMBER else None


def _grown(test: Test, value: int) -> bool | None:
    """What a comparison says of a number that can only grow."""
    operator = test.operator
    if isinstance(operator, Present):
        return operator.wanted
    if isinstance(operator, Above):
        return True if value > operator.bound else None
    if isinstance(operator, Below):
        return False if value >= operator.bound else None
    if isinstance(operator, Is):
        return False if all(isinstance(one, int) and one < value for one in operator.values) else None
    if isinstance(operator, InRanges):
        return False if all(high < value for _, high in operator.ranges) else None
    return None


def _may_be_excluded(rule: Rule) -> bool:
    """Whether there can be flows that a rule cannot strike, as far as its question and its chance tell."""
    lasting = any(
        name in SAME or (protocol_of(name) and FACTS[name].field.course is not Course.CHANGES)
        for name in rule.match.fields()
    )
    spared = rule.chance < 1 and rule.memory is None and rule.threshold is None
    return lasting or spared or (rule.slows and bool(rule.asks))


def _divided(policy: Policy) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """The rules that are asked at each packet, and those that ask a protocol."""
    always = tuple(rule for rule in policy.rules if not rule.asks)
    return always, tuple(rule for rule in policy.rules if rule.asks)


def worth(policy: Policy) -> bool:
    """Whether there may be flows that are clear before a rule lets them go, or all that is asked has been read."""
    always, asking = _divided(policy)
    if always:
        return all(map(_may_be_excluded, always))
    return any(map(_may_be_excluded, asking))  # each protocol is read because a rule asks for it


def leaves(policy: Policy, rule: Rule) -> bool:
    """Whether flows that a rule slows can be clear; where it cannot be told of all, it is said of none."""
    if rule.when != ALWAYS:
        return False  # nobody but the engine knows when it sleeps
    if all(one.asks for one in policy.rules):
        return True
    # flows that share a bucket must not be divided between a driver and the engine, by rules that ask no protocol
    return worth(policy) and _connections(policy) and not _shares(rule)


def _shares(rule: Rule) -> bool:
    return any(isinstance(one, Police) and one.per is not Share.FLOW for one in rule.actions)


def _connections(policy: Policy) -> bool:
    """Whether connections can be clear: who may forget one and pick it up again may come to think otherwise of it."""
    tcp = policy.ability.tcp
    return tcp.create == {Segment.SYN} and not tcp.mid_stream and tcp.end <= _ENDS


def waits_for_fact(match: Match) -> bool:
    """Whether it cannot hold without a fact of a protocol: a packet that tells none cannot meet it."""
    if isinstance(match, Test):
        absent_is_yes = isinstance(match.operator, Present) and not match.operator.wanted
        return bool(protocol_of(match.field)) and not absent_is_yes
    if isinstance(match, All):
        return any(waits_for_fact(part) for part in match.parts)
    if isinstance(match, AnyOf):
        return bool(match.parts) and all(waits_for_fact(part) for part in match.parts)
    return False
