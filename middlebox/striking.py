"""Carries out what rules say: on the packet that matched, on the rest of its flow, and on flows that are remembered.

Whether a rule matches is `censor`'s question; how forged packets look is `acting`'s.
"""

from __future__ import annotations

from middlebox import forge
from middlebox.ability import Ability
from middlebox.acting import Acting, Trigger
from middlebox.action import (
    Action,
    AnswerDns,
    AnswerHttp,
    AnswerIcmp,
    Drop,
    Hold,
    Inject,
    Log,
    Pass,
    Rewrite,
    Scope,
    Slow,
)
from middlebox.coming import Coming
from middlebox.dissect.dns import DnsQuery
from middlebox.flow import Flow
from middlebox.looking import Looking, flag_names
from middlebox.packet import FIN, RST, SYN, TCP, PacketView
from middlebox.passing import Passing
from middlebox.policy import Rule, Start
from middlebox.residual import Residual, key_of
from middlebox.slowing import SlowingHands
from middlebox.verdict import Decision, Direction, Disposition, Emission, Ends, Verdict

BOTH = frozenset(Direction)


class Striking:
    """The hands of one box, and what they have promised for later."""

    __slots__ = ("_ability", "_acting", "_coming", "_residual", "_slowing", "hits", "revoked")

    def __init__(
        self,
        ability: Ability,
        seed: int,
        rules: tuple[Rule, ...],
        residual: Residual,
        slowing: SlowingHands,
        coming: Coming,
    ) -> None:
        self._ability = ability
        self._acting = Acting(ability, seed)
        self._residual = residual
        self._slowing = slowing
        self._coming = coming
        self.hits = {rule.name: 0 for rule in rules}
        self.revoked: list[Ends] = []  #: of the packet at hand: flows that are remembered from now on

    # -- a rule has matched -------------------------------------------------------------------------------------

    def strike(self, rule: Rule, packet: Passing, look: Looking) -> Decision:
        """Carry out all actions of a rule on the packet that matched, and remember its ends."""
        self.hits[rule.name] += 1
        flow = packet.flow
        rewritten: bytes | None = None
        release_ns = 0
        disposition = Disposition.INSPECT
        drops = any(self._drops_now(action, packet) for action in rule.actions)
        trigger = _trigger(rule, packet, dropped=drops)
        made: list[Emission] = []
        for number, action in enumerate(rule.actions):
            if isinstance(action, Drop):
                self._drop(rule, action, packet, trigger)
            elif isinstance(action, Slow):
                if flow is not None:
                    self._slowing.lay(rule, action, number, flow)
            elif isinstance(action, Rewrite):
                if flow is not None:
                    flow.rewrite_from(rule, action.flags, self._reaction(trigger))
                if packet.direction is Direction.TO_CLIENT and packet.rewritable:
                    rewritten = forge.as_reset(packet.view, action.flags)
            elif isinstance(action, Hold):
                release_ns = self._release(action, packet, trigger)
            elif isinstance(action, Pass):
                if flow is not None:
                    flow.passed = rule
                    flow.settled = True
                    disposition = Disposition.PASS
            elif not isinstance(action, Log):
                made.extend(self._emissions(action, packet, trigger))
        if rule.memory is not None:
            self.memorise(rule, packet)
        if disposition is Disposition.PASS and flow is not None and self._still_concerns(flow, packet):
            disposition = Disposition.INSPECT
        verdict = Verdict.PASS
        if drops:
            verdict, rewritten = Verdict.DROP, None
            if flow is not None and flow.dropping is not None and flow.dropping.all_from(packet.now_ns):
                disposition = Disposition.DROP
        elif release_ns:
            verdict = self._coming.hold(packet, release_ns)
        return packet.decided(
            rule,
            rule.action_text,
            f"rule '{rule.name}' matches{_because(rule, look)}",
            verdict=verdict,
            injected=made,
            rewritten=rewritten,
            release_ns=release_ns if verdict is Verdict.HOLD else 0,
            disposition=disposition,
        )

    def _still_concerns(self, flow: Flow, packet: Passing) -> bool:
        """True if a flow that a rule has let go is struck by what was before: a drop that lies on it, or a memory."""
        if flow.dropping is not None or flow.rewriting is not None:
            return True
        return self._residual.count > 0 and self._residual.concerns(packet.view, packet.now_ns)

    def _drops_now(self, action: Action, packet: Passing) -> bool:
        """True if the drop takes the trigger itself."""
        if not isinstance(action, Drop) or action.after is not None:
            return False
        if action.scope is Scope.PACKET:
            return True
        if not self._ability.reaction_ns.fixed or self._ability.reaction_ns.low > 0:
            return False  # by the time the box has made up its mind, the trigger is gone
        return action.scope is Scope.FLOW or action.scope.value == packet.direction.value

    def _drop(self, rule: Rule, action: Drop, packet: Passing, trigger: Trigger) -> None:
        if packet.flow is None or (action.scope is Scope.PACKET and action.after is None):
            return
        directions = BOTH
        if action.scope in (Scope.TO_SERVER, Scope.TO_CLIENT):
            directions = frozenset({Direction(action.scope.value)})
        left = 0 if action.after is None else self._acting.draw(action.after, trigger, "after")
        packet.flow.drop_from(rule, directions, self._reaction(trigger), left)

    def _reaction(self, trigger: Trigger) -> int:
        """When the box's answer to this trigger takes effect."""
        return trigger.now_ns + self._acting.draw(self._ability.reaction_ns, trigger, "reaction")

    def _release(self, action: Hold, packet: Passing, trigger: Trigger) -> int:
        return packet.now_ns + self._acting.draw(action.delay_ns, trigger, "hold", packet.number)

    def _emissions(self, action: Action, packet: Passing, trigger: Trigger) -> list[Emission]:
        """The packets of an injecting action; those of later times are also kept for `due`."""
        made: list[Emission] = []
        tcp = trigger.view.proto == TCP
        if isinstance(action, Inject):
            made = self._acting.inject(action, trigger) if tcp else []
        elif isinstance(action, AnswerHttp):
            made = self._acting.http(action, trigger) if tcp else []
        elif isinstance(action, AnswerDns):
            query = packet.flow.facts.get("dns") if packet.flow is not None and packet.changed else None
            made = self._acting.dns(action, trigger, query) if isinstance(query, DnsQuery) else []
        elif isinstance(action, AnswerIcmp):
            made = self._acting.icmp(action, trigger)
        for emission in made:
            if emission.at_ns > trigger.now_ns:
                self._coming.inject(emission)
        return made

    def memorise(self, rule: Rule, packet: Passing) -> None:
        """Remember the packet's ends for the rule's memory."""
        memory = rule.memory
        assert memory is not None
        seen = packet.view
        if packet.flow is not None:
            ends = packet.flow.ends
        elif packet.direction is Direction.TO_SERVER:
            ends = (seen.src, seen.src_port, seen.dst, seen.dst_port)
        else:
            ends = (seen.dst, seen.dst_port, seen.src, seen.src_port)
        if self._residual.strike(rule, memory, self._reaction(_trigger(rule, packet)), packet.text, ends):
            packet.say(f"rule '{rule.name}' will remember the {memory.key.value}")
            _, client, client_port, server, server_port = key_of(memory.key, *ends)
            # packets are looked up by both their ends: a flow that the other end began is remembered as well
            self.revoked.append(Ends(client, client_port, server, server_port))
            self.revoked.append(Ends(server, server_port, client, client_port))

    # -- what an earlier packet has brought about ---------------------------------------------------------------

    def enforce(self, packet: Passing) -> Decision | None:
        """Carry out what is in force on the packet's flow."""
        flow = packet.flow
        if flow is None:
            return None
        dropping = flow.dropping
        if dropping is not None and packet.now_ns >= dropping.from_ns:
            if dropping.packets_left > 0:
                dropping.packets_left -= 1
                packet.say(f"{dropping.packets_left} more packets pass before the drop")
            elif packet.direction in dropping.directions:
                return packet.decided(
                    dropping.rule,
                    "drop",
                    f"the flow is being dropped since rule '{dropping.rule.name}' matched",
                    verdict=Verdict.DROP,
                    disposition=Disposition.DROP if dropping.directions == BOTH else Disposition.INSPECT,
                )
        rewriting = flow.rewriting
        if rewriting is not None and packet.now_ns >= rewriting.from_ns and packet.direction is Direction.TO_CLIENT:
            return _rewritten(packet, rewriting.rule, rewriting.flags)
        return None

    def recall(self, rule: Rule, struck: str, packet: Passing, direction: Direction) -> Decision | None:
        """Do to a flow what the rule remembers of another; `direction` is the packet's way between the ends."""
        memory = rule.memory
        assert memory is not None
        if not _reached(memory.start, packet.view):
            return None
        to_server = direction is Direction.TO_SERVER
        ends_itself = packet.view.proto == TCP and packet.view.flags & (RST | FIN)
        spared = Scope.TO_CLIENT if to_server else Scope.TO_SERVER
        actions = memory.actions or rule.actions
        drops = any(isinstance(action, Drop) and action.scope is not spared for action in actions)
        words: list[str] = []
        made: list[Emission] = []
        rewritten: bytes | None = None
        release_ns = 0
        for number, action in enumerate(actions):
            acts = True
            if isinstance(action, Slow):
                acts = packet.flow is not None
                if packet.flow is not None:
                    self._slowing.lay(rule, action, number, packet.flow)
            elif isinstance(action, Drop):
                acts = action.scope is not spared
            elif isinstance(action, Rewrite):
                acts = not to_server and packet.rewritable
                rewritten = forge.as_reset(packet.view, action.flags) if acts else rewritten
            elif isinstance(action, Hold):
                release_ns = self._release(action, packet, _trigger(rule, packet))
            elif isinstance(action, Pass):
                acts = False
            elif not isinstance(action, Log):
                acts = False
                if to_server and not ends_itself:
                    packet.direction = Direction.TO_SERVER
                    emissions = self._emissions(action, packet, _trigger(rule, packet, dropped=drops))
                    made.extend(emissions)
                    acts = bool(emissions)
            if acts:
                words.append(action.word)
        if not words:
            return None
        verdict = Verdict.PASS
        if drops:
            verdict, rewritten = Verdict.DROP, None
        elif release_ns:
            verdict = self._coming.hold(packet, release_ns)
        return packet.decided(
            rule,
            "+".join(words),
            f"rule '{rule.name}' remembers {struck}",
            verdict=verdict,
            injected=made,
            rewritten=rewritten,
            release_ns=release_ns if verdict is Verdict.HOLD else 0,
        )


def _trigger(rule: Rule, packet: Passing, *, dropped: bool = False) -> Trigger:
    return Trigger(packet.view, packet.direction, packet.now_ns, flow=packet.text, rule=rule.name, dropped=dropped)


def _rewritten(packet: Passing, rule: Rule, flags: int) -> Decision | None:
    if not packet.rewritable:
        return None
    reason = f"the server's packet becomes {'+'.join(flag_names(flags))}, as rule '{rule.name}' has matched"
    return packet.decided(rule, "rewrite", reason, rewritten=forge.as_reset(packet.view, flags))


def _reached(start: Start, seen: PacketView) -> bool:
    """True if this packet, either end's, is late enough in its flow to meet the residual action."""
    if start is Start.SYN or seen.proto != TCP:
        return True
    if start is Start.DATA:
        return seen.payload_len > 0
    return not seen.flags & SYN


def _because(rule: Rule, look: Looking) -> str:
    """The values that the rule's fields have, for people."""
    words = []
    for name in sorted(rule.match.fields()):
        value = None if name == "payload" else look.value(name)
        if isinstance(value, bool):  # asked first: compiled, a bool that is taken for an int becomes one
            words.append(f"{name} is {'true' if value else 'false'}")
        elif isinstance(value, str | int):
            words.append(f"{name} is {value}")
    return f": {', '.join(words)}" if words else ""
