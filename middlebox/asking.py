"""Which rule decides: the rules of one policy are asked in their order, each when it is awake and its chance comes up.

What a rule does, `striking` and `slowing` carry out; what a packet told, the reader has found before.
"""

from __future__ import annotations

from typing import Final

from middlebox.action import Log
from middlebox.chance import fraction
from middlebox.counting import Thresholds
from middlebox.flow import NOTHING, Flow
from middlebox.looking import Looking
from middlebox.match import Within
from middlebox.outlook import Outlook, waits_for_fact
from middlebox.passing import Passing
from middlebox.policy import Moment, Policy, Rule
from middlebox.reading import Reader
from middlebox.residual import Residual
from middlebox.striking import Striking
from middlebox.verdict import Decision, Disposition

_ASK: Final = Disposition.INSPECT
_LET_GO: Final = Disposition.PASS


class Asking:
    """The rules of one box, and the clock that they are awake by."""

    __slots__ = (
        *(
            "_always",
            "_factless",
            "_inside",
            "_logs",
            "_outlook",
            "_reader",
            "_residual",
            "_rules",
            "_seed",
            "_slows",
            "_striking",
        ),
        *("_thresholds", "phase", "since_ns"),
    )

    def __init__(self, policy: Policy, seed: int, reader: Reader, residual: Residual, striking: Striking) -> None:
        self.phase = ""
        self.since_ns = 0  #: when the phase began; before the first one, when the first packet came
        self._seed = seed
        self._rules = policy.rules
        self._always = tuple(rule for rule in policy.rules if not rule.asks)  # asked at each packet
        self._factless = tuple(rule for rule in policy.rules if not waits_for_fact(rule.match))
        self._logs = frozenset(r.name for r in policy.rules if all(isinstance(one, Log) for one in r.actions))
        self._slows = frozenset(rule.name for rule in policy.rules if rule.slows)
        self._outlook = Outlook(policy, seed, reader)
        self._inside = Within(policy.ability.inside)
        self._reader = reader
        self._residual = residual
        self._striking = striking
        self._thresholds = Thresholds(policy.ability.limits.residual)

    def carry(self, before: Asking) -> None:
        """Go on where another policy's rules were: in the same phase, with the flows counted so far."""
        self.phase, self.since_ns = before.phase, before.since_ns
        self._thresholds = before._thresholds

    def moment(self, now_ns: int) -> Moment:
        return Moment(now_ns, self.phase, self.since_ns)

    def awake(self, rule: Rule, now_ns: int) -> bool:
        return rule.when.awake(now_ns, self.phase, self.since_ns)

    def ask(self, packet: Passing) -> Decision:
        """Ask the rules in their order; the first that matches decides, unless it only logs."""
        flow = packet.flow
        if packet.changed and flow is not None:
            rules = self._rules if flow.facts else self._factless
        else:
            rules = self._factless if flow is None else self._always
        if not rules or (flow is not None and flow.passed is not None):
            return self._untouched(packet)
        logged: Decision | None = None
        look = self.look(packet)
        for rule in rules:
            if rule.match.test(look) is not True or not self._may(rule, packet):
                continue
            if flow is not None and rule.name in self._slows and flow.suffers(rule):
                return logged or self._untouched(packet)  # what it does lies on the flow already
            decision = self._striking.strike(rule, packet, look)
            if rule.name not in self._logs:
                return decision
            logged = logged or decision
        return logged or self._untouched(packet)

    def look(self, packet: Passing) -> Looking:
        believed, joined = packet.believed and packet.flow is not None, packet.view.raw is not packet.raw
        return Looking(self._inside, packet.view, packet.flow, packet.direction, believed, joined)

    def _may(self, rule: Rule, packet: Passing) -> bool:
        """The schedule, the chance and the threshold of a rule that matches.

        What slows a flow lies on it also while its rule sleeps, and then does nothing.
        """
        if rule.name not in self._slows and not self.awake(rule, packet.now_ns):
            packet.say(f"rule '{rule.name}' matches, but it sleeps now")
            return False
        if rule.chance < 1 and fraction(self._seed, rule.name, packet.text) >= rule.chance:
            packet.say(f"rule '{rule.name}' matches, but chance spares this flow")
            return False
        if rule.threshold is not None:
            said = self._thresholds.spare(rule, rule.threshold, packet)
            if said:
                packet.say(said)
                return False
        return True

    def _untouched(self, packet: Passing) -> Decision:
        """No rule matches; the flow is settled if none can match any more."""
        flow = packet.flow
        if flow is None:
            return packet.passed(_ASK)
        news = packet.changed or flow.slowed is not flow.weighed
        if not flow.settled and (news or flow.payloads):
            if not self._always and self._reader.finished(flow):
                self._settle(flow)
            elif news and self._outlook.worth:
                flow.weighed = flow.slowed
                if self._outlook.clear(packet, self.look(packet)):
                    packet.say("no rule can match in this flow any more, whatever comes")
                    flow.foreseen = True
                    self._settle(flow)
        if not flow.settled or flow.dropping is not None or flow.rewriting is not None:
            return packet.passed(_ASK)
        later = self._residual.count > 0 and self._residual.concerns(packet.view, packet.now_ns)
        return packet.passed(_ASK if later else _LET_GO)

    def _settle(self, flow: Flow) -> None:
        """No rule is asked about the flow again, under this policy."""
        flow.settled = True
        flow.facts = NOTHING  # nobody will ask for them
        if (flow.up is not None and flow.up.pending) or (flow.down is not None and flow.down.pending):
            flow.stop()  # a stream cannot be read on later from where nobody looked; datagrams can
