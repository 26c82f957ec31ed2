"""What the kernel carries out alone: loads the table of a policy, says which mark a decision is, takes marks back.

The fate of one packet stays the box's business. Where the kernel cannot do it, the box asks about every packet and
says so; nothing else changes then. Policing is left to the kernel only where its bucket is the policy's.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable

from middlebox.action import Drop, Freeze, Pass, Police, Scope, Share, Slow
from middlebox.drivers.conntrack import Conntrack, Settings, Tuple
from middlebox.drivers.plane import DROP_NOW, NUMBERS, NoRoomError, Plan, Policing, Wanted
from middlebox.drivers.tables import TableError, counters, load, tables
from middlebox.interest import ends_matter, fates_last, interest
from middlebox.policy import Policy, Rule
from middlebox.verdict import Decision, Disposition, Ends, Verdict

#: flows that have a mark and can be found again, to take it back: some 60 MB. Beyond it the oldest loses its mark and
#: is asked about again
MAX_MARKED = 100_000
#: protocols that have told all they can tell when their first message has been read
SETTLING = frozenset({"tls", "quic"})
_PREFIX = "penstock_"
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}

Counts = dict[str, dict[str, dict[str, int]]]


def flow_of(text: str) -> Tuple | None:
    """The ends in a flow's text ("tcp 10.0.0.1:40000>203.0.113.5:443"), client first; None if it has no ports."""
    name, _, ends = text.partition(" ")
    proto = _PROTOCOLS.get(name)
    client, arrow, server = ends.partition(">")
    if proto is None or not arrow:
        return None
    return Tuple(proto, *_end(client), *_end(server))


def _end(text: str) -> tuple[bytes, int]:
    address, _, port = text.rpartition(":")
    if address.startswith("["):
        return socket.inet_pton(socket.AF_INET6, address[1:-1]), int(port)
    return socket.inet_aton(address), int(port)


class Marked:
    """Flows that may have a mark, found again by either end; bounded, the oldest goes first."""

    def __init__(self, most: int = MAX_MARKED) -> None:
        self._most = most
        self._flows: dict[Tuple, None] = {}
        self._by_end: dict[bytes, dict[Tuple, None]] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def add(self, flow: Tuple) -> Tuple | None:
        """Note a flow; the one that had to go for it, which must lose its mark."""
        if flow in self._flows:
            return None
        oldest = None
        if len(self._flows) >= self._most:
            oldest = next(iter(self._flows))
            self._remove(oldest)
        self._flows[flow] = None
        self._by_end.setdefault(flow.src, {})[flow] = None
        self._by_end.setdefault(flow.dst, {})[flow] = None
        return oldest

    def take(self, ends: Ends) -> list[Tuple]:
        """Take out the flows that have these ends."""
        client, client_port, server, server_port = ends
        shared = [self._by_end.get(address, {}) for address in (client, server) if address]
        within = min(shared, key=len, default=self._flows)
        found = [
            flow
            for flow in within
            if (not client or flow.src == client)
            and (not client_port or flow.src_port == client_port)
            and (not server or flow.dst == server)
            and (not server_port or flow.dst_port == server_port)
        ]
        for flow in found:
            self._remove(flow)
        return found

    def clear(self) -> None:
        self._flows.clear()
        self._by_end.clear()

    def _remove(self, flow: Tuple) -> None:
        self._flows.pop(flow, None)
        for address in (flow.src, flow.dst):
            others = self._by_end.get(address)
            if others is not None:
                others.pop(flow, None)
                if not others:
                    del self._by_end[address]


def wanted_of(policy: Policy) -> Wanted:
    """What a policy's rules may leave to the kernel."""
    return Wanted(
        passed=tuple(rule.name for rule in policy.rules if any(isinstance(one, Pass) for one in rule.actions)),
        dropped=tuple(
            rule.name
            for rule in policy.rules
            if any(
                (isinstance(one, Drop) and one.scope is Scope.FLOW) or isinstance(one, Freeze) for one in rule.actions
            )
        ),
        policed={rule.name: policing for rule in policy.rules if (policing := _policing(rule)) is not None},
        fates=fates_last(policy.ability),
        ends=ends_matter(policy),
        needed=interest(policy),
    )


def _policing(rule: Rule) -> Policing | None:
    """The bucket of a rule that only polices, if the kernel's would be the only one."""
    slowing = [one for one in rule.actions if isinstance(one, Slow)]
    if len(slowing) != 1 or not isinstance(slowing[0], Police) or not slowing[0].plain:
        return None
    police = slowing[0]
    # flows share a bucket: then the engine must not go on with some of them, as it does with HTTP's later requests
    if police.per is not Share.FLOW and not rule.asks <= SETTLING:
        return None
    return Policing(rate=police.rate, burst=police.burst, share=police.per.value, directions=police.directions)


class Kernel:
    """The kernel's share of one box's work. `queue` is the box's own and names the table."""

    def __init__(self, queue: int) -> None:
        self.why_not = ""  #: why the kernel has no share; "" if it has
        self.settings: dict[str, int | str] = {}  #: of connection tracking, read back
        self._name = f"{_PREFIX}{queue}"
        self._plan: Plan | None = None
        self._conntrack: Conntrack | None = None
        self._settings: Settings | None = None
        self._marked: Marked | None = None
        self._retired: Counts = {}  # what counters of earlier plans had counted

    @property
    def works(self) -> bool:
        return self._plan is not None

    def install(self, policy: Policy) -> None:
        """Load the table; on failure the kernel has no share, and `why_not` says why."""
        try:
            others = [name for name in tables() if name.startswith(_PREFIX) and name != self._name]
            if others:
                raise TableError(f"another box of this namespace uses its connection marks (table {others[0]})")
            plan = Plan(self._name, wanted_of(policy))
            conntrack = Conntrack()
        except (TableError, NoRoomError, OSError) as error:
            self.why_not = str(error)
            self.clean()
            return
        settings = Settings(policy.ability)
        try:
            conntrack.forget_all()  # the marks of an earlier box mean something else
            load(f"add table inet {self._name}\ndelete table inet {self._name}\n" + plan.text())
            self.settings = settings.apply()
        except (TableError, OSError) as error:
            self.why_not = str(error)
            conntrack.close()
            self.clean()
            return
        self._plan, self._conntrack, self._settings = plan, conntrack, settings
        self._marked = _index(policy)

    def change(self, policy: Policy) -> None:
        """Replace the table: every flow is asked about again. Raises TableError or OSError; then the old one stays."""
        if self._plan is None or self._conntrack is None:
            return
        counted = self.counts()
        try:
            plan = Plan(self._name, wanted_of(policy), self._plan.next)
        except NoRoomError:
            self._conntrack.forget_all()  # no flow has a number then, so all are fresh
            try:
                plan = Plan(self._name, wanted_of(policy))
            except NoRoomError as error:
                raise TableError(str(error)) from error
        load(plan.text(self._plan))
        self._plan, self._retired, self._marked = plan, counted, _index(policy)
        if self._settings is not None:
            self._settings.restore()
        self._settings = Settings(policy.ability)
        self.settings = self._settings.apply()

    def remove(self) -> None:
        """Take the table away, and put back what was set."""
        if self._plan is None:
            return
        load(f"delete table inet {self._name}\n")
        self._plan = None
        if self._settings is not None:
            self._settings.restore()
        if self._conntrack is not None:
            with contextlib.suppress(OSError):
                self._conntrack.forget_all()
            self._conntrack.close()

    def clean(self) -> None:
        """Take away the table that a killed box with the same queue may have left, as far as that can be."""
        with contextlib.suppress(TableError):
            load(f"add table inet {self._name}\ndelete table inet {self._name}\n")

    # -- flows ----------------------------------------------------------------------------------------------------

    def mark(self, decision: Decision) -> int:
        """The mark that leaves the rest of the flow to the kernel; 0 if the engine must go on."""
        plan, text, disposition = self._plan, decision.flow, decision.disposition
        if plan is None or text[:4] not in ("tcp ", "udp "):
            return 0
        polices = disposition is Disposition.POLICE
        rule = decision.policed_by if polices else decision.rule
        mark = plan.mark(disposition, rule)
        if not mark:
            return 0
        if polices or self._marked is not None:
            flow = flow_of(text)
            if flow is None:
                return 0
            if polices:
                mark = plan.mark(disposition, rule, forward=self._forward(flow))
            if self._marked is not None and self._conntrack is not None:
                oldest = self._marked.add(flow)
                if oldest is not None:
                    self._conntrack.unmark([oldest], NUMBERS)
        return mark | DROP_NOW if decision.verdict is Verdict.DROP else mark

    def _forward(self, flow: Tuple) -> bool:
        """Whether the flow's first packet came, for the kernel, from its client: if not known yet, it is this one."""
        first = None if self._conntrack is None else self._conntrack.first_source(flow)
        return first is None or first == (flow.src, flow.src_port)

    def revoke(self, revoked: Iterable[Ends]) -> None:
        """Take the marks of flows back that have one of these ends. They are asked about from their next packet on."""
        if self._marked is not None and self._conntrack is not None:
            for ends in revoked:
                self._conntrack.unmark(self._marked.take(ends), NUMBERS)

    # -- what it tells --------------------------------------------------------------------------------------------

    def counts(self) -> Counts:
        """Rule -> what the kernel did to its flows -> packets and bytes; rule "": flows that no rule touched.

        "let by" counts what no rule of this policy could ever be interested in.
        """
        counted: Counts = {rule: {what: dict(one) for what, one in of.items()} for rule, of in self._retired.items()}
        plan = self._plan
        if plan is None:
            return counted
        found = counters(self._name)
        for name, (rule, what) in plan.counters.items():
            packets, size = found.get(name, (0, 0))
            one = counted.setdefault(rule, {}).setdefault(what, {"packets": 0, "bytes": 0})
            one["packets"] += packets
            one["bytes"] += size
        return counted

    def facts(self) -> dict[str, object]:
        """Who carries dispositions out, for the manifest."""
        told: dict[str, object] = {"data_plane": "kernel" if self.works else "queue", "data_plane_reason": self.why_not}
        if self._plan is not None:
            told["conntrack"] = self.settings
            told["policed_by_kernel"] = sorted(self._plan.buckets)
        return told


def _index(policy: Policy) -> Marked | None:
    """Only residual censorship takes marks back."""
    return Marked() if any(rule.memory is not None for rule in policy.rules) else None
