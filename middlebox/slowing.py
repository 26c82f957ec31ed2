"""What lies on a flow since a rule matched and makes it slower: policing, shaping, delay, loss, freezing.

It says of each packet whether it passes, is lost, or goes on later. Rates and queues are `bucket`'s; whether a rule
matches is `censor`'s question. A slowing acts while its rule is awake, and lies on its flow to the flow's end.
"""

from __future__ import annotations

from collections.abc import Callable

from middlebox.action import Amount, Count, Delay, Freeze, Lost, Police, Ramp, Shape, Share, Slow, Slowing
from middlebox.bucket import Policer, Shaper
from middlebox.chance import fraction, take
from middlebox.coming import Coming
from middlebox.flow import Flow
from middlebox.packet import FIN, RST, SYN, TCP, PacketView
from middlebox.passing import Passing
from middlebox.policy import ALWAYS, Moment, Rule
from middlebox.verdict import Decision, Direction, Disposition, Verdict

#: a packet that is lost; else the time at which it goes on
LOST = -1

_SECOND = 1_000_000_000
#: steps of a ramp: the rate changes this often, so that a packet costs no division
_RAMP_STEP_NS = 10_000_000


class Counting:
    """Packets and bytes of payload of one direction since the rule matched."""

    __slots__ = ("bytes", "packets")

    def __init__(self) -> None:
        self.packets = 0
        self.bytes = 0

    def reached(self, amount: Amount) -> bool:
        return amount.reached(self.packets, self.bytes)


class Lying:
    """One action of one rule, as it lies on one flow."""

    __slots__ = ("action", "always", "down", "frozen", "key", "last_down", "last_up", "rates", "rule", "up")

    def __init__(self, rule: Rule, action: Slowing, key: str) -> None:
        self.rule = rule
        self.action = action
        self.always = rule.when == ALWAYS
        self.key = key  #: names the action among those of its rule, for chance and for shared buckets
        self.rates: dict[Direction, Policer | Shaper] = {}  #: its own, if the action gives each flow its own
        self.up = Counting()
        self.down = Counting()
        self.last_up = self.last_down = 0  #: when the latest delayed packet of each direction goes on
        self.frozen = False

    def under(self, rule: Rule | None) -> Lying | None:
        """As it goes on under another policy's rule of the same name; None if that does not slow.

        An action that has changed begins anew, with what it now says.
        """
        place = int(self.key.rpartition(" ")[2])
        action = rule.actions[place] if rule is not None and place < len(rule.actions) else None
        if rule is None or not isinstance(action, Slow):
            return None
        if action != self.action:
            return Lying(rule, action, self.key)
        self.rule, self.always = rule, rule.when == ALWAYS
        return self

    def counting(self, direction: Direction) -> Counting:
        return self.up if direction is Direction.TO_SERVER else self.down

    def frozen_by(self, amount: Amount, count: Count) -> bool:
        """True once as much has passed as a freeze lets pass."""
        if count is Count.BOTH:
            return amount.reached(self.up.packets + self.down.packets, self.up.bytes + self.down.bytes)
        if count is Count.TO_SERVER:
            return self.up.reached(amount)
        if count is Count.TO_CLIENT:
            return self.down.reached(amount)
        return self.up.reached(amount) or self.down.reached(amount)


class Rates:
    """The buckets and queues that flows share, each under its traffic; bounded, the oldest goes first."""

    __slots__ = ("_by_share", "_limit", "evicted")

    def __init__(self, limit: int) -> None:
        self._by_share: dict[tuple[str, Direction, bytes, bytes], Policer | Shaper] = {}
        self._limit = limit
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._by_share)

    def find(self, lying: Lying, action: Police | Shape, packet: Passing) -> Policer | Shaper | None:
        """The bucket or queue that a packet meets, if there is one already."""
        if action.per is Share.FLOW:
            return lying.rates.get(packet.direction)
        return self._by_share.get(_shared(lying, action, packet))

    def keep(self, lying: Lying, action: Police | Shape, packet: Passing, made: Policer | Shaper) -> None:
        if action.per is Share.FLOW:
            lying.rates[packet.direction] = made
            return
        while len(self._by_share) >= self._limit:
            del self._by_share[next(iter(self._by_share))]
            self.evicted += 1
        self._by_share[_shared(lying, action, packet)] = made


class SlowingHands:
    """Lays slowings on flows and carries them out."""

    __slots__ = ("_coming", "_seed", "delayed", "lost", "rates")

    def __init__(self, seed: int, rules: tuple[Rule, ...], limit: int, coming: Coming) -> None:
        self._seed = seed
        self._coming = coming
        self.rates = Rates(limit)
        self.lost = dict.fromkeys((rule.name for rule in rules), 0)  #: packets, by rule
        self.delayed = dict.fromkeys((rule.name for rule in rules), 0)

    def carry(self, before: SlowingHands) -> None:
        """Go on where another policy's slowings were: shared buckets stay, and the counts of rules that still are."""
        self.rates = before.rates
        for counts, earlier in ((self.lost, before.lost), (self.delayed, before.delayed)):
            counts.update((name, count) for name, count in earlier.items() if name in counts)

    def counters(self) -> dict[str, int]:
        """Buckets that are shared, and packets that were lost and delayed, by rule."""
        return {
            "buckets": len(self.rates),
            "buckets_evicted": self.rates.evicted,
            **{f"lost:{name}": count for name, count in self.lost.items() if count},
            **{f"delayed:{name}": count for name, count in self.delayed.items() if count},
        }

    def lay(self, rule: Rule, action: Slowing, number: int, flow: Flow) -> None:
        """Let an action act on the flow from the packet at hand on; `number`: its place among the rule's actions."""
        lying = Lying(rule, action, f"{rule.name} {number}")
        flow.slowed = (*flow.slowed, lying)

    def meet(self, packet: Passing, decision: Decision, moment: Callable[[int], Moment]) -> Decision:
        """What becomes of a packet that passes otherwise, after all that lies on its flow."""
        flow = packet.flow
        if flow is None or decision.verdict is not Verdict.PASS:
            return decision
        now_ns = at_ns = packet.now_ns
        then = None
        by: Lying | None = None
        for lying in flow.slowed:
            if not lying.always:
                then = then or moment(now_ns)
                if not lying.rule.when.awake(then.now_ns, then.phase, then.since_ns):
                    continue
            after = self._meet(lying, packet, at_ns, moment)
            if after != at_ns:
                by = lying
            at_ns = after
            if at_ns == LOST:
                break
        if by is None:
            return self._left_over(flow, decision)
        if at_ns == LOST:
            self.lost[by.rule.name] += 1
            for_ever = by.frozen and by.always
            return _changed(packet, decision, by, Verdict.DROP, Disposition.DROP if for_ever else Disposition.INSPECT)
        if decision.rewritten is not None or self._coming.hold(packet, at_ns) is not Verdict.HOLD:
            return self._left_over(flow, decision)
        self.delayed[by.rule.name] += 1
        held = _changed(packet, decision, by, Verdict.HOLD, Disposition.INSPECT)
        held.release_ns = at_ns
        held.reason = f"{held.reason}, for {(at_ns - now_ns) / 1e6:.3f} ms"
        return held

    def _left_over(self, flow: Flow, decision: Decision) -> Decision:
        """The packet passes; a driver may police the rest, if that is all that can still happen to the flow."""
        if decision.disposition is not Disposition.PASS:
            return decision
        first = flow.slowed[0]
        alone = len(flow.slowed) == 1 and isinstance(first.action, Police) and first.action.plain
        if alone and first.always:
            decision.disposition, decision.policed_by = Disposition.POLICE, first.rule.name
        else:
            decision.disposition = Disposition.INSPECT
        return decision

    def _meet(self, lying: Lying, packet: Passing, at_ns: int, moment: Callable[[int], Moment]) -> int:
        """When the packet goes on after one slowing, or `LOST`."""
        action, view = lying.action, packet.view
        if lying.frozen:
            return LOST
        counting = lying.counting(packet.direction)
        begun = action.after is None or counting.reached(action.after)
        over = action.until is not None and counting.reached(action.until)
        counting.packets += 1
        counting.bytes += view.payload_len
        if isinstance(action, Freeze):  # the packet that fills the measure still passes
            lying.frozen = lying.frozen_by(action.amount, action.count)
            return at_ns
        if not begun or over or packet.direction not in action.directions:
            return at_ns
        if isinstance(action, Police):
            return at_ns if self._policer(lying, action, packet, moment).take(view.total, packet.now_ns) else LOST
        if isinstance(action, Shape):
            leaves = self._shaper(lying, action, packet, moment).enqueue(view.total, at_ns)
            return LOST if leaves is None else leaves
        if isinstance(action, Delay):
            return self._delay(lying, action, packet, at_ns, counting.packets)
        if _may_be_lost(action.what, view):
            drawn = fraction(self._seed, lying.key, packet.text, packet.direction.value, counting.packets)
            return LOST if drawn < action.share else at_ns
        return at_ns

    def _policer(self, lying: Lying, action: Police, packet: Passing, moment: Callable[[int], Moment]) -> Policer:
        found = self.rates.find(lying, action, packet)
        if isinstance(found, Policer) and action.ramp is None:
            return found
        rate = (
            action.rate if action.ramp is None else _ramped(action.ramp, action.rate, moment(packet.now_ns), lying.rule)
        )
        if isinstance(found, Policer):
            found.change(rate, packet.now_ns)
            return found
        made = Policer(rate=rate, burst=action.burst, now_ns=packet.now_ns)
        self.rates.keep(lying, action, packet, made)
        return made

    def _shaper(self, lying: Lying, action: Shape, packet: Passing, moment: Callable[[int], Moment]) -> Shaper:
        found = self.rates.find(lying, action, packet)
        if isinstance(found, Shaper) and action.ramp is None:
            return found
        rate = (
            action.rate if action.ramp is None else _ramped(action.ramp, action.rate, moment(packet.now_ns), lying.rule)
        )
        if isinstance(found, Shaper):
            found.change(rate)
            return found
        made = Shaper(rate=rate, limit=action.queue.packets, limit_bytes=action.queue.bytes)
        self.rates.keep(lying, action, packet, made)
        return made

    def _delay(self, lying: Lying, action: Delay, packet: Passing, at_ns: int, number: int) -> int:
        drawn = take(action.delay_ns, self._seed, lying.key, packet.text, packet.direction.value, number)
        at_ns += drawn
        if action.reorder:
            return at_ns
        if packet.direction is Direction.TO_SERVER:
            at_ns = lying.last_up = max(at_ns, lying.last_up)
        else:
            at_ns = lying.last_down = max(at_ns, lying.last_down)
        return at_ns


def _changed(packet: Passing, decision: Decision, by: Lying, verdict: Verdict, disposition: Disposition) -> Decision:
    """The decision with its new verdict; its rule, if it had one, keeps the word."""
    words = {
        Verdict.DROP: f"lost, as '{by.action.word}' of rule '{by.rule.name}' lies on the flow",
        Verdict.HOLD: f"late, as '{by.action.word}' of rule '{by.rule.name}' lies on the flow",
    }[verdict]
    packet.say(words)
    decision.verdict = verdict
    decision.rule = decision.rule or by.rule.name
    decision.action = decision.action or by.action.word
    decision.reason = f"{decision.reason}; {words}" if decision.reason else words
    if verdict is Verdict.DROP:
        decision.rewritten = None
    decision.disposition = disposition
    return decision


def _shared(lying: Lying, action: Police | Shape, packet: Passing) -> tuple[str, Direction, bytes, bytes]:
    """What names the bucket or queue that a packet shares with others."""
    flow = packet.flow
    assert flow is not None
    client, _, server, _ = flow.ends
    by_client, by_server = action.per in (Share.CLIENT, Share.TWO), action.per in (Share.SERVER, Share.TWO)
    return lying.key, packet.direction, client if by_client else b"", server if by_server else b""


def _ramped(ramp: Ramp, rate: int, then: Moment, rule: Rule) -> int:
    """The rate of a ramp now, in bytes a second."""
    gone_ns = then.now_ns - rule.when.woke_ns(then.now_ns, then.since_ns)
    if gone_ns >= ramp.over_ns:
        return rate
    gone_ns -= gone_ns % _RAMP_STEP_NS
    return max(1, ramp.start + (rate - ramp.start) * gone_ns // ramp.over_ns)


def _may_be_lost(what: Lost, view: PacketView) -> bool:
    if what is Lost.ANY:
        return True
    if what is Lost.DATA:
        return view.payload_len > 0
    return view.proto == TCP and not view.payload_len and not view.flags & (SYN | FIN | RST)
