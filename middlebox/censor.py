"""The censor: packet bytes and a clock in, a decision out.

It opens no socket, reads no clock, never sleeps, draws its chance from the seed, and raises on no bytes whatever.
How packets reach it and what carries its decisions out are the drivers' business.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from middlebox import forge
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
)
from middlebox.chance import fraction
from middlebox.checksum import ipv4_header_ok, transport_ok
from middlebox.dissect.dns import DnsQuery
from middlebox.flow import Flow, FlowTable, TcpBelief, flow_text, looks_like_an_answer
from middlebox.fragments import Reassembly
from middlebox.looking import Looking, flag_names
from middlebox.match import Within
from middlebox.packet import FIN, RST, SYN, TCP, PacketView, view
from middlebox.policy import Policy, Rearm, Rule, Start
from middlebox.reading import MAX_MESSAGES, Reader
from middlebox.residual import Residual
from middlebox.verdict import Decision, Direction, Disposition, Emission, Verdict

#: packets held at once; a box with more to hold forwards at once, and counts it
MAX_HELD = 65_536

BOTH = frozenset(Direction)

#: told, for each packet, its number, its flow, and what was seen and believed, a sentence each
Explain = Callable[[int, str, tuple[str, ...]], None]


@dataclass(slots=True)
class _Packet:
    """One packet on its way through `decide`."""

    number: int
    now_ns: int
    raw: bytes
    view: PacketView  #: of the whole datagram, if this was the last of its fragments
    direction: Direction
    flow: Flow | None
    text: str  #: the flow's text
    believed: bool  #: the box reads it and lets it move its state
    changed: bool = False  #: it told new facts, or that there are none


class Censor:
    """One box under one policy. Times are integer nanoseconds since 1970 and never go back."""

    def __init__(self, policy: Policy, *, seed: int = 0, explain: Explain | None = None) -> None:
        ability = policy.ability
        self.policy = policy
        self.seed = seed
        self.phase = ""
        self._ability = ability
        self._acting = Acting(ability, seed)
        self._table = FlowTable(ability)
        self._reader = Reader(policy)
        self._tcp = TcpBelief(ability, self._table, self._reader.on_tcp)
        self._residual = Residual(policy.rules, ability.limits.residual)
        self._fragments = Reassembly(
            max_fragments=ability.reassembly.max_fragments,
            max_datagrams=ability.limits.fragments,
            timeout_ns=ability.reassembly.fragment_timeout_ns,
            overlap=ability.reassembly.overlap,
        )
        self._inside = Within(ability.inside)
        self._always = tuple(rule for rule in policy.rules if not rule.asks)  # asked at each packet
        self._explain = explain
        self._said: list[str] = []
        self._number = 0
        self._now_ns = 0
        self._coming: list[tuple[int, int, Emission]] = []  # a heap by time, then by order
        self._order = 0
        self._held = 0
        self._hits = {rule.name: 0 for rule in policy.rules}
        self._unreadable = 0
        self._unbelieved = 0
        self._not_held = 0

    # -- what drivers call --------------------------------------------------------------------------------------

    def decide(self, raw: bytes, now_ns: int) -> Decision:
        """Decide on one packet, given from its IP header on. Never raises on any bytes."""
        self._now_ns = now_ns = max(now_ns, self._now_ns)
        number = self._number
        self._number += 1
        if self._explain is not None:
            self._said = []
        seen = view(raw)
        if seen is None:
            self._unreadable += 1
            decision = Decision(number=number, t_ns=now_ns, verdict=Verdict.PASS, reason="not an IP packet")
        else:
            decision = self._decide(number, raw, seen, now_ns)
        if self._explain is not None:
            self._explain(number, decision.flow, tuple(self._said))
        return decision

    def due(self, now_ns: int) -> list[Emission]:
        """Take the held packets and the injections whose time has come, in the order of their times."""
        ready: list[Emission] = []
        while self._coming and self._coming[0][0] <= now_ns:
            emission = heapq.heappop(self._coming)[2]
            if emission.releases >= 0:
                self._held -= 1
            ready.append(emission)
        return ready

    def next_due(self) -> int | None:
        """When `due` next has something to give."""
        return self._coming[0][0] if self._coming else None

    def enter_phase(self, name: str, now_ns: int) -> None:
        """The run enters a phase, for rules that are awake in some phases alone."""
        self._now_ns = max(now_ns, self._now_ns)
        self.phase = name

    def counters(self) -> dict[str, int]:
        """What has been seen, kept, forgotten and hit."""
        counts = {
            "packets": self._number,
            "unreadable": self._unreadable,
            "not_believed": self._unbelieved,
            "flows": len(self._table),
            "flows_created": self._table.created,
            "flows_evicted": self._table.evicted,
            "flows_expired": self._table.expired,
            "residual": len(self._residual),
            "residual_evicted": self._residual.evicted,
            "fragments_pending": len(self._fragments),
            "fragments_evicted": self._fragments.evicted,
            "held": self._held,
            "not_held": self._not_held,
        }
        counts.update({f"rule:{name}": hits for name, hits in self._hits.items()})
        return counts

    # -- one packet ---------------------------------------------------------------------------------------------

    def _decide(self, number: int, raw: bytes, seen: PacketView, now_ns: int) -> Decision:
        believed = True
        if seen.is_fragment:
            seen, believed = self._whole(seen, now_ns)
        believed = believed and self._believes(seen)
        flow = self._tcp.find(seen, now_ns) if seen.proto == TCP else self._table.find(seen, now_ns)
        if flow is not None and flow.settled and flow.dropping is None and flow.rewriting is None:
            found = self._residual.find(seen, now_ns)
            if found is None:
                self._keep_up(flow, seen)
                return Decision(
                    number=number,
                    t_ns=now_ns,
                    verdict=Verdict.PASS,
                    flow=flow.text,
                    disposition=Disposition.PASS,
                )
        packet = self._place(number, raw, seen, now_ns, flow, believed)
        decision = self._enforce(packet)
        if decision is None:
            decision = self._remember(packet)
        if decision is None:
            if packet.believed:
                self._read(packet)
            decision = self._ask(packet)
            if packet.changed and packet.believed and packet.flow is not None:
                decision = self._pipelined(packet, packet.flow, decision)
        if packet.flow is not None:
            packet.flow.packets += 1
        return decision

    def _pipelined(self, packet: _Packet, flow: Flow, decision: Decision) -> Decision:
        """Ask the rules about further messages in the same packet, until one of them is struck."""
        for _ in range(MAX_MESSAGES):
            if decision.rule:
                break
            changed, said = self._reader.again(flow, packet.direction)
            if not changed:
                break
            self._say(said)
            decision = self._ask(packet)
        return decision

    def _whole(self, seen: PacketView, now_ns: int) -> tuple[PacketView, bool]:
        """The view to inspect for a fragment, and whether there is anything to read in it."""
        if not self._ability.reassembly.fragments:
            self._say("a fragment, and this box does not put fragments together: not read")
            return seen, False
        result = self._fragments.add(seen, now_ns)
        if result.datagram is None:
            self._say(f"a fragment: {result.words}")
            return seen, False
        whole = view(result.datagram)
        if whole is None:
            return seen, False
        self._say(f"the last missing fragment: read as one datagram of {whole.total} bytes")
        return whole, True

    def _believes(self, seen: PacketView) -> bool:
        """True if the box lets this packet move its state and reads its payload."""
        why = ""
        if seen.ttl < self._ability.minimum_ttl:
            why = f"its TTL of {seen.ttl} is below {self._ability.minimum_ttl}"
        elif seen.extension_headers and not self._ability.extension_headers:
            why = "this box does not walk IPv6 extension headers"
        elif seen.proto == TCP and not self._tcp.reads_header(seen):
            why = f"this box does not read a TCP header of {seen.data_offset} bytes"
        elif self._ability.verify_checksums and not (ipv4_header_ok(seen) and transport_ok(seen)):
            why = "a checksum is wrong"
        if why:
            self._unbelieved += 1
            self._say(f"not believed: {why}")
        return not why

    def _place(
        self, number: int, raw: bytes, seen: PacketView, now_ns: int, flow: Flow | None, believed: bool
    ) -> _Packet:
        """Find or make the packet's flow and its direction."""
        if flow is None and believed:
            if seen.proto != TCP:
                flow = self._table.make(seen, now_ns, from_server=looks_like_an_answer(seen))
            else:
                flow = self._tcp.begin(seen, now_ns)
            if flow is not None:
                self._say(f"a new flow{' picked up in its middle' if flow.picked_up else ''}: {flow.text}")
        if flow is not None:
            direction, text = flow.direction(seen), flow.text
        elif looks_like_an_answer(seen):
            direction = Direction.TO_CLIENT
            text = flow_text(seen.proto, seen.dst, seen.dst_port, seen.src, seen.src_port)
        else:
            direction = Direction.TO_SERVER
            text = flow_text(seen.proto, seen.src, seen.src_port, seen.dst, seen.dst_port)
        if flow is None and believed:
            self._say("no connection is known for this segment, and it does not make one")
        return _Packet(number, now_ns, raw, seen, direction, flow, text, believed)

    def _keep_up(self, flow: Flow, seen: PacketView) -> None:
        """Follow a settled flow only as far as its end."""
        if seen.proto == TCP and seen.flags & (SYN | FIN | RST):
            self._tcp.follow(flow, seen, flow.direction(seen))

    def _read(self, packet: _Packet) -> None:
        """Move the flow's state by the packet and read its payload."""
        flow, seen = packet.flow, packet.view
        if seen.proto == TCP and self._tcp.end_all(seen):
            self._say("an end of any connection ends all that this box knows")
        if flow is None:
            return
        if flow.packets == 0:
            packet.changed = True
        if seen.proto == TCP:
            said = self._tcp.follow(flow, seen, packet.direction)
            if said:
                self._say(said)
        if seen.payload_len and not flow.stopped:
            flow.payloads += 1
            changed, said = self._reader.read(flow, seen, packet.direction)
            packet.changed = packet.changed or changed
            if said:
                self._say(said)

    # -- what is already in force ---------------------------------------------------------------------------------

    def _enforce(self, packet: _Packet) -> Decision | None:
        """Carry out what an earlier packet of the flow has brought about."""
        flow = packet.flow
        if flow is None:
            return None
        dropping = flow.dropping
        if dropping is not None and packet.now_ns >= dropping.from_ns:
            if dropping.packets_left > 0:
                dropping.packets_left -= 1
                self._say(f"{dropping.packets_left} more packets pass before the drop")
            elif packet.direction in dropping.directions:
                whole = dropping.directions == BOTH
                return self._decision(
                    packet,
                    dropping.rule,
                    "drop",
                    f"the flow is being dropped since rule '{dropping.rule.name}' matched",
                    verdict=Verdict.DROP,
                    disposition=Disposition.DROP if whole else Disposition.INSPECT,
                )
        rewriting = flow.rewriting
        if rewriting is not None and packet.now_ns >= rewriting.from_ns and packet.direction is Direction.TO_CLIENT:
            return self._rewritten(packet, rewriting.rule, rewriting.flags)
        return None

    def _rewritten(self, packet: _Packet, rule: Rule, flags: int) -> Decision | None:
        if not _rewritable(packet):
            return None
        names = "+".join(flag_names(flags))
        return self._decision(
            packet,
            rule,
            "rewrite",
            f"the server's packet becomes {names}, as rule '{rule.name}' has matched",
            rewritten=forge.as_reset(packet.view, flags),
        )

    def _remember(self, packet: _Packet) -> Decision | None:
        """Residual censorship: do to this flow what is remembered of another."""
        found = self._residual.find(packet.view, packet.now_ns)
        if found is None:
            return None
        rule, struck, direction = found
        memory = rule.memory
        assert memory is not None
        if not rule.when.awake(packet.now_ns, self.phase):
            return None
        drawn = memory.coverage < 1 and struck != packet.text
        if drawn and fraction(self.seed, rule.name, packet.text, "coverage") >= memory.coverage:
            self._say(f"rule '{rule.name}' remembers these ends, but chance spares this flow")
            return None
        if direction is not packet.direction and packet.flow is None:
            packet.direction = direction
        if memory.rearm is Rearm.ON_TRIGGER and packet.believed:
            self._rearm(rule, packet)
        reason = f"rule '{rule.name}' remembers {struck}"
        for action in memory.actions or rule.actions:
            decision = self._residually(packet, rule, action, direction, memory.start, reason)
            if decision is not None:
                return decision
        return None

    def _rearm(self, rule: Rule, packet: _Packet) -> None:
        """The trigger came again while it was remembered: the time begins anew."""
        self._read(packet)
        if packet.changed and packet.flow is not None and rule.match.test(self._look(packet)) is True:
            self._memorise(rule, packet, self._trigger(rule, packet))

    def _residually(
        self, packet: _Packet, rule: Rule, action: Action, direction: Direction, start: Start, reason: str
    ) -> Decision | None:
        seen = packet.view
        to_server = direction is Direction.TO_SERVER
        if isinstance(action, Drop):
            if (action.scope is Scope.TO_SERVER and not to_server) or (action.scope is Scope.TO_CLIENT and to_server):
                return None
            if to_server and not _reached(start, seen):
                return None
            return self._decision(packet, rule, "drop", reason, verdict=Verdict.DROP)
        if isinstance(action, Rewrite):
            return None if to_server else self._rewritten(packet, rule, action.flags)
        if isinstance(action, Hold):
            return self._hold(packet, rule, action, reason)
        if isinstance(action, Log):
            return self._decision(packet, rule, "log", reason)
        if not to_server or not _reached(start, seen) or (seen.proto == TCP and seen.flags & (RST | FIN)):
            return None
        packet.direction = Direction.TO_SERVER
        made = self._emissions(action, self._trigger(rule, packet), None)
        return self._decision(packet, rule, action.word, reason, injected=made) if made else None

    # -- the rules ------------------------------------------------------------------------------------------------

    def _ask(self, packet: _Packet) -> Decision:
        """Ask the rules in their order; the first that matches decides."""
        flow = packet.flow
        if flow is not None and flow.passed is not None:
            rules: tuple[Rule, ...] = ()
        else:
            rules = self.policy.rules if packet.changed or flow is None else self._always
        logged: Decision | None = None
        if rules:
            look = self._look(packet)
            for rule in rules:
                if rule.match.test(look) is not True or not self._may(rule, packet):
                    continue
                decision = self._strike(rule, packet)
                if all(isinstance(action, Log) for action in rule.actions):
                    logged = logged or decision
                    continue
                return decision
        if logged is not None:
            return logged
        return self._untouched(packet)

    def _look(self, packet: _Packet) -> Looking:
        believed = packet.believed and packet.flow is not None
        return Looking(self._inside, packet.view, packet.flow, packet.direction, believed)

    def _trigger(self, rule: Rule, packet: _Packet, *, dropped: bool = False) -> Trigger:
        return Trigger(packet.view, packet.direction, packet.now_ns, flow=packet.text, rule=rule.name, dropped=dropped)

    def _may(self, rule: Rule, packet: _Packet) -> bool:
        """The schedule and the chance of a rule that matches."""
        if not rule.when.awake(packet.now_ns, self.phase):
            self._say(f"rule '{rule.name}' matches, but it sleeps now")
            return False
        if rule.chance < 1 and fraction(self.seed, rule.name, packet.text) >= rule.chance:
            self._say(f"rule '{rule.name}' matches, but chance spares this flow")
            return False
        return True

    def _untouched(self, packet: _Packet) -> Decision:
        flow = packet.flow
        disposition = Disposition.INSPECT
        if flow is not None and (flow.passed is not None or self._reader.finished(flow)):
            flow.settled = flow.passed is not None or not self._always
            if flow.settled:
                disposition = Disposition.PASS
        return Decision(
            number=packet.number,
            t_ns=packet.now_ns,
            verdict=Verdict.PASS,
            flow=packet.text,
            disposition=disposition,
        )

    def _strike(self, rule: Rule, packet: _Packet) -> Decision:
        """A rule has matched: carry out its actions, all of them on this packet, and remember."""
        self._hits[rule.name] += 1
        flow, seen, now_ns = packet.flow, packet.view, packet.now_ns
        verdict, rewritten, release_ns = Verdict.PASS, None, 0
        disposition = Disposition.INSPECT
        drops = any(self._drops_now(action, packet) for action in rule.actions)
        trigger = self._trigger(rule, packet, dropped=drops)
        made: list[Emission] = []
        for action in rule.actions:
            if isinstance(action, Drop):
                self._drop(rule, action, packet, trigger)
            elif isinstance(action, Rewrite):
                if flow is not None:
                    flow.rewrite_from(rule, action.flags, self._reaction(trigger))
                if packet.direction is Direction.TO_CLIENT and _rewritable(packet):
                    rewritten = forge.as_reset(seen, action.flags)
            elif isinstance(action, Hold):
                release_ns = now_ns + self._acting.draw(action.delay_ns, trigger, "hold", packet.number)
            elif isinstance(action, Pass):
                if flow is not None:
                    flow.passed = rule
                    flow.settled = True
                    disposition = Disposition.PASS
            elif not isinstance(action, Log):
                made.extend(self._emissions(action, trigger, flow))
        if rule.memory is not None:
            self._memorise(rule, packet, trigger)
        if drops:
            verdict, rewritten = Verdict.DROP, None
            if flow is not None and flow.dropping is not None and flow.dropping.directions == BOTH:
                disposition = Disposition.DROP
        elif release_ns:
            verdict = self._holding(packet, release_ns)
        reason = f"rule '{rule.name}' matches{self._because(rule, packet)}"
        return self._decision(
            packet,
            rule,
            rule.action_text,
            reason,
            verdict=verdict,
            injected=made,
            rewritten=rewritten,
            release_ns=release_ns if verdict is Verdict.HOLD else 0,
            disposition=disposition,
        )

    def _drops_now(self, action: Action, packet: _Packet) -> bool:
        """True if the drop takes the trigger itself."""
        if not isinstance(action, Drop) or action.after is not None:
            return False
        if action.scope is Scope.PACKET:
            return True
        if not self._ability.reaction_ns.fixed or self._ability.reaction_ns.low > 0:
            return False  # by the time the box has made up its mind, the trigger is gone
        return action.scope is Scope.FLOW or action.scope.value == packet.direction.value

    def _drop(self, rule: Rule, action: Drop, packet: _Packet, trigger: Trigger) -> None:
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

    def _emissions(self, action: Action, trigger: Trigger, flow: Flow | None) -> list[Emission]:
        """The packets of an injecting action; those of later times are also kept for `due`."""
        made: list[Emission] = []
        if isinstance(action, Inject):
            made = self._acting.inject(action, trigger) if trigger.view.proto == TCP else []
        elif isinstance(action, AnswerHttp):
            made = self._acting.http(action, trigger) if trigger.view.proto == TCP else []
        elif isinstance(action, AnswerDns):
            query = flow.facts.get("dns") if flow is not None else None
            made = self._acting.dns(action, trigger, query) if isinstance(query, DnsQuery) else []
        elif isinstance(action, AnswerIcmp):
            made = self._acting.icmp(action, trigger)
        for emission in made:
            if emission.at_ns > trigger.now_ns:
                self._later(emission)
        return made

    def _later(self, emission: Emission) -> None:
        heapq.heappush(self._coming, (emission.at_ns, self._order, emission))
        self._order += 1

    def _hold(self, packet: _Packet, rule: Rule, action: Hold, reason: str) -> Decision:
        trigger = self._trigger(rule, packet)
        release_ns = packet.now_ns + self._acting.draw(action.delay_ns, trigger, "hold", packet.number)
        verdict = self._holding(packet, release_ns)
        release_ns = release_ns if verdict is Verdict.HOLD else 0
        return self._decision(packet, rule, "hold", reason, verdict=verdict, release_ns=release_ns)

    def _holding(self, packet: _Packet, release_ns: int) -> Verdict:
        if self._held >= MAX_HELD:
            self._not_held += 1
            return Verdict.PASS
        self._held += 1
        self._later(
            Emission(
                packet=packet.raw,
                at_ns=release_ns,
                toward=packet.direction,
                injector="",
                releases=packet.number,
            )
        )
        return Verdict.HOLD

    def _memorise(self, rule: Rule, packet: _Packet, trigger: Trigger) -> None:
        memory = rule.memory
        assert memory is not None
        seen = packet.view
        if packet.flow is not None:
            ends = packet.flow.ends
        elif packet.direction is Direction.TO_SERVER:
            ends = (seen.src, seen.src_port, seen.dst, seen.dst_port)
        else:
            ends = (seen.dst, seen.dst_port, seen.src, seen.src_port)
        if self._residual.strike(rule, memory, self._reaction(trigger), packet.text, ends):
            self._say(f"rule '{rule.name}' will remember the {memory.key.value}")

    def _because(self, rule: Rule, packet: _Packet) -> str:
        """The values that the rule's fields have, for people."""
        look = self._look(packet)
        words = []
        for name in sorted(rule.match.fields()):
            if name == "payload":
                continue
            value = look.value(name)
            if isinstance(value, str | int | bool):
                words.append(f"{name} is {value if isinstance(value, str) else str(value).lower()}")
        return f": {', '.join(words)}" if words else ""

    # -- the answer -----------------------------------------------------------------------------------------------

    def _decision(
        self,
        packet: _Packet,
        rule: Rule,
        action: str,
        reason: str,
        *,
        verdict: Verdict = Verdict.PASS,
        injected: list[Emission] | None = None,
        rewritten: bytes | None = None,
        release_ns: int = 0,
        disposition: Disposition = Disposition.INSPECT,
    ) -> Decision:
        self._say(reason)
        return Decision(
            number=packet.number,
            t_ns=packet.now_ns,
            verdict=verdict,
            flow=packet.text,
            rule=rule.name,
            action=action,
            reason=reason,
            injected=tuple(injected or ()),
            rewritten=rewritten,
            release_ns=release_ns,
            disposition=disposition,
        )

    def _say(self, sentence: str) -> None:
        if self._explain is not None:
            self._said.append(sentence)


def _rewritable(packet: _Packet) -> bool:
    """True for a whole TCP segment that is no reset already; what came in fragments stays as it is."""
    seen = packet.view
    return seen.proto == TCP and not seen.malformed and not seen.flags & RST and seen.raw is packet.raw


def _reached(start: Start, seen: PacketView) -> bool:
    """True if this packet of the client's is late enough in its flow to meet the residual action."""
    if start is Start.SYN or seen.proto != TCP:
        return True
    if start is Start.DATA:
        return seen.payload_len > 0
    return not seen.flags & SYN
