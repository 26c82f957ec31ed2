"""The censor: packet bytes and a clock in, a decision out.

It opens no socket, reads no clock, never sleeps, draws its chance from the seed, and raises on no bytes whatever.
How packets reach it and what carries its decisions out are the drivers' business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from middlebox.action import AnswerDns
from middlebox.asking import Asking
from middlebox.believing import Doubting, TcpBelief
from middlebox.chance import fraction
from middlebox.coming import Coming
from middlebox.flow import Flow, looks_like_an_answer
from middlebox.flows import FlowTable
from middlebox.fragments import Reassembly
from middlebox.packet import FIN, RST, SYN, TCP, PacketView, view
from middlebox.passing import Passing
from middlebox.policy import Policy, Rearm, Rule
from middlebox.reading import MAX_MESSAGES, Reader
from middlebox.residual import Residual
from middlebox.slowing import SlowingHands
from middlebox.striking import Striking
from middlebox.verdict import TO_CLIENT, Decision, Direction, Disposition, Emission, Verdict

#: told, for each packet, its number, its flow, and what was seen and believed, a sentence each
Explain = Callable[[int, str, tuple[str, ...]], None]

_PASS: Final = Verdict.PASS
_ASK: Final = Disposition.INSPECT
_LET_GO: Final = Disposition.PASS
_ENDS: Final = FIN | RST


class Censor:
    """One box under one policy. Times are integer nanoseconds since 1970 and never go back."""

    def __init__(self, policy: Policy, *, seed: int = 0, explain: Explain | None = None) -> None:
        self.seed = seed
        self._connections = FlowTable(policy.ability)
        self._others = FlowTable(policy.ability)  # so that a flood of datagrams drives no connection out
        self._coming = Coming()
        self._explain = explain
        self._number = self._now_ns = 0
        self._unreadable = self._unbelieved = self._gave_up = 0
        self._arrange(policy)

    def _arrange(self, policy: Policy) -> None:
        """Put together all that one policy asks for."""
        ability, rules = policy.ability, policy.rules
        self.policy = policy
        self._ability = ability
        self._reader = Reader(policy)
        self._tcp = TcpBelief(ability, self._connections, self._reader.on_tcp)
        self._doubting = Doubting(ability)
        self._credulous = self._doubting.credulous
        # a segment that is not read and ends nothing moves no more than its own direction's sequence number
        self._quiet = (
            self._credulous
            and all(rule.asks for rule in rules)
            and ability.reassembly.segments
            and not ability.inspect.packets
            and not ability.tcp.resynchronise
            and not self._tcp.ends_all
        )
        self._residual = Residual(rules, ability.limits.residual)
        self._slowing = SlowingHands(self.seed, rules, ability.limits.buckets, self._coming)
        self._striking = Striking(ability, self.seed, rules, self._residual, self._slowing, self._coming)
        self._asking = Asking(policy, self.seed, self._reader, self._residual, self._striking)
        self._fragments = Reassembly(
            max_fragments=ability.reassembly.max_fragments,
            max_datagrams=ability.limits.fragments,
            timeout_ns=ability.reassembly.fragment_timeout_ns,
            overlap=ability.reassembly.overlap,
        )

    def change(self, policy: Policy, now_ns: int) -> None:
        """Go on under another policy from the next packet on; no flow is lost.

        What lies on a flow, and what is remembered, stays if the new policy has a rule of the same name that still
        does it. No disposition that was given before holds any longer: a driver must ask about all flows again.
        """
        self._now_ns = max(now_ns, self._now_ns)
        residual, striking, slowing, asking = self._residual, self._striking, self._slowing, self._asking
        rules = {rule.name: rule for rule in policy.rules}
        self._arrange(policy)
        for table in (self._connections, self._others):
            table.carry(policy.ability, rules)
        self._residual.carry(residual, rules)
        self._striking.hits.update((name, count) for name, count in striking.hits.items() if name in rules)
        self._slowing.carry(slowing)
        self._asking.carry(asking)

    def decide(self, raw: bytes, now_ns: int) -> Decision:
        """Decide on one packet, given from its IP header on. Never raises on any bytes."""
        if now_ns < self._now_ns:
            now_ns = self._now_ns
        self._now_ns = now_ns
        if not self._asking.since_ns:
            self._asking.since_ns = now_ns
        number = self._number
        self._number = number + 1
        seen = view(raw)
        if seen is None:
            self._unreadable += 1
            decision = Decision(number, now_ns, _PASS, reason="not an IP packet")
            if self._explain is not None:
                self._explain(number, "", ())
            return decision
        if self._explain is not None or seen.is_fragment:
            return self._told(Passing(number, now_ns, raw, seen, None if self._explain is None else []))
        flow = (self._connections if seen.proto == TCP else self._others).find(seen, now_ns)
        if flow is not None:
            if seen.flags & SYN:
                flow = self._tcp.still(flow, seen)
            elif flow.settled and flow.free and self._credulous and not seen.malformed and not self._residual.count:
                # nearly every packet of a long flow: no rule can match any more, and nobody is remembered
                if seen.flags & _ENDS:
                    self._tcp.follow(flow, seen, flow.direction(seen))
                return Decision(number, now_ns, _PASS, flow, "", "", "", (), None, 0, _LET_GO)
            elif self._quiet and not seen.malformed and not self._residual.count and self._unread(flow, seen):
                # most packets of a flow that may yet tell more: what a server answers to a request, say
                return Decision(number, now_ns, _PASS, flow, "", "", "", (), None, 0, _ASK)
        packet = Passing(number, now_ns, raw, seen, None)
        packet.flow = flow
        return self._decide(packet)

    def _unread(self, flow: Flow, seen: PacketView) -> bool:
        """Follow a segment that goes a way which nobody reads, on which nothing lies; False if it must be looked at."""
        if flow.proto != TCP or seen.flags & _ENDS or not flow.packets or not flow.free or self._reader.finished(flow):
            return False
        up = seen.key == flow.key
        progress = flow.up if up else flow.down
        if progress is None or progress.pending or (up and not flow.acked):
            return False
        flow.packets += 1
        if seen.payload_len:
            flow.payloads += 1
            progress.skip(seen.seq, seen.payload_len, self._ability.reassembly.window)
        return True

    def _told(self, packet: Passing) -> Decision:
        """Decide on a packet that must be explained, or comes in a fragment."""
        if packet.view.is_fragment:
            self._join(packet)
        seen = packet.view
        flow = (self._connections if seen.proto == TCP else self._others).find(seen, packet.now_ns)
        packet.flow = self._tcp.still(flow, seen) if flow is not None and seen.flags & SYN else flow
        decision = self._decide(packet)
        if self._explain is not None:
            self._explain(packet.number, decision.flow, tuple(packet.said or ()))
        return decision

    def due(self, now_ns: int) -> list[Emission]:
        """Take the held packets and the injections whose time has come, in the order of their times."""
        return self._coming.due(now_ns)

    def next_due(self) -> int | None:
        """When `due` next has something to give."""
        return self._coming.next_due()

    def enter_phase(self, name: str, now_ns: int) -> None:
        """The run enters a phase, for rules that are awake in some phases alone."""
        self._now_ns = self._asking.since_ns = max(now_ns, self._now_ns)
        self._asking.phase = name

    def counters(self) -> dict[str, int]:
        """What has been seen, kept, forgotten and hit."""
        return {
            "packets": self._number,
            "unreadable": self._unreadable,
            "not_believed": self._unbelieved,
            "gave_up": self._gave_up,
            "buffered_bytes": self._connections.buffered + self._others.buffered,
            "flows": len(self._connections) + len(self._others),
            "flows_created": self._connections.created + self._others.created,
            "flows_evicted": self._connections.evicted + self._others.evicted,
            "flows_expired": self._connections.expired + self._others.expired,
            "residual": len(self._residual),
            "residual_evicted": self._residual.evicted,
            "fragments_pending": len(self._fragments),
            "fragments_evicted": self._fragments.evicted,
            "held": self._coming.held,
            "not_held": self._coming.not_held,
            "not_injected": self._coming.not_injected,
            **{f"rule:{name}": hits for name, hits in self._striking.hits.items()},
            **self._slowing.counters(),
        }

    def _decide(self, packet: Passing) -> Decision:
        """Decide on a packet whose flow has been looked for."""
        seen, flow, residual = packet.view, packet.flow, self._residual
        if packet.believed and (seen.malformed or not self._credulous):
            doubt = self._doubting.doubt(seen)
            if doubt:
                packet.believed = False
                self._unbelieved += 1
                packet.say(f"not believed: {doubt}")
        struck = flow is not None and (flow.dropping is not None or flow.rewriting is not None)
        remembered = residual.count > 0
        if flow is not None and flow.settled and not struck and not (remembered and residual.find(seen, packet.now_ns)):
            return self._settled(packet, flow)
        self._place(packet)
        decision: Decision | None = None
        if struck:
            decision = self._striking.enforce(packet)
        if decision is None and remembered:
            decision = self._remember(packet)
        if decision is None:
            if packet.believed:
                self._read(packet)
            decision = self._asking.ask(packet)
            if packet.changed and packet.believed and packet.flow is not None:
                decision = self._pipelined(packet, packet.flow, decision)
        flow = packet.flow
        if flow is not None:
            flow.packets += 1
            if flow.slowed:
                decision = self._slowing.meet(packet, decision, self._asking.moment)
        revoked = self._striking.revoked
        if revoked:
            decision.revokes = tuple(revoked)
            revoked.clear()
        return decision

    def _settled(self, packet: Passing, flow: Flow) -> Decision:
        """A packet of a flow that no rule can match any more, and that nobody remembers."""
        seen = packet.view
        packet.direction = flow.direction(seen)
        if seen.flags & (SYN | _ENDS):  # follow it as far as its end
            self._tcp.follow(flow, seen, packet.direction)
        later = self._residual.count > 0 and self._residual.concerns(seen, packet.now_ns)
        decision = packet.passed(_ASK if later else _LET_GO)
        if flow.slowed:
            decision = self._slowing.meet(packet, decision, self._asking.moment)
        return decision

    def _join(self, packet: Passing) -> None:
        """Put a fragment to the others of its datagram; the last missing one is read as the whole."""
        if not self._ability.reassembly.fragments:
            packet.believed = False
            packet.say("a fragment, and this box does not put fragments together: not read")
            return
        result = self._fragments.add(packet.view, packet.now_ns)
        whole = view(result.datagram) if result.datagram is not None else None
        if whole is None:
            packet.believed = False
            packet.say(f"a fragment: {result.words}")
            return
        packet.view = whole
        packet.say(f"the last missing fragment: read as one datagram of {whole.total} bytes")

    def _place(self, packet: Passing) -> None:
        """Find or make the packet's flow, and its direction."""
        seen, flow = packet.view, packet.flow
        if flow is None and packet.believed:
            if seen.proto != TCP:
                flow = self._others.make(seen, packet.now_ns, from_server=looks_like_an_answer(seen))
            else:
                flow = self._tcp.begin(seen, packet.now_ns)
            if flow is None:
                packet.say("no connection is known for this segment, and it does not make one")
            elif packet.said is not None:
                packet.say(f"a new flow{', picked up in its middle' if flow.picked_up else ''}: {flow.text}")
            packet.flow = flow
        if flow is not None:
            packet.direction = flow.direction(seen)
        elif looks_like_an_answer(seen):
            packet.direction = TO_CLIENT

    def _read(self, packet: Passing) -> None:
        """Move the flow's state by the packet and read its payload, once."""
        if packet.read:
            return
        packet.read = True
        flow, seen = packet.flow, packet.view
        if self._tcp.ends_all and seen.proto == TCP and self._tcp.end_all(seen):
            packet.say("an end of any connection ends all that this box knows")
        if flow is None:
            return
        if flow.packets == 0:
            packet.changed = True
        table = self._others
        if seen.proto == TCP:
            table = self._connections
            said = self._tcp.follow(flow, seen, packet.direction)
            if said:
                packet.say(said)
        if seen.payload_len and not flow.stopped:
            flow.payloads += 1
            changed, said = self._reader.read(flow, seen, packet.direction)
            table.account(flow)
            if flow.counted and self._connections.buffered + self._others.buffered > self._ability.limits.buffered:
                self._gave_up += 1
                changed, said = self._reader.stop(flow, "out of memory for what waits to be read: given up")
                table.account(flow)
            if changed:
                packet.changed = True
            if said:
                packet.say(said)

    def _pipelined(self, packet: Passing, flow: Flow, decision: Decision) -> Decision:
        """Ask the rules about further messages in the same packet, until one of them is struck."""
        if not flow.counted and not flow.gone:
            return decision  # nothing waits to be read
        for _ in range(MAX_MESSAGES):
            if decision.rule:
                break
            changed, said = self._reader.again(flow, packet.direction)
            if not changed:
                break
            packet.say(said)
            decision = self._asking.ask(packet)
        (self._connections if flow.proto == TCP else self._others).account(flow)
        return decision

    def _remember(self, packet: Passing) -> Decision | None:
        """Residual censorship: do to this flow what is remembered of another; the first rule that has a say decides."""
        for rule, struck, direction in self._residual.find(packet.view, packet.now_ns):
            decision = self._recall(packet, rule, struck, direction)
            if decision is not None:
                if packet.believed and decision.verdict is not Verdict.DROP:
                    self._read(packet)  # what goes on is followed, so that the flow is known when the memory ends
                return decision
        return None

    def _recall(self, packet: Passing, rule: Rule, struck: str, direction: Direction) -> Decision | None:
        memory = rule.memory
        if memory is None or not self._asking.awake(rule, packet.now_ns):
            return None
        if packet.flow is not None and packet.flow.suffers(rule):
            return None  # the flow that was struck has its own fate; memory is for the others
        drawn = memory.coverage < 1 and struck != packet.text
        if drawn and fraction(self.seed, rule.name, packet.text, "coverage") >= memory.coverage:
            packet.say(f"rule '{rule.name}' remembers these ends, but chance spares this flow")
            return None
        if packet.flow is None:
            packet.direction = direction
        rearms = memory.rearm is Rearm.ON_TRIGGER
        if packet.believed and (rearms or any(isinstance(one, AnswerDns) for one in memory.actions or rule.actions)):
            self._read(packet)  # is it the trigger again? what does it ask?
        if rearms and packet.changed and packet.flow is not None and rule.match.test(self._asking.look(packet)) is True:
            self._striking.memorise(rule, packet)
        return self._striking.recall(rule, struck, packet, direction)
