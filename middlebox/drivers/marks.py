"""Which mark leaves a flow to the kernel, and the marks that are taken back when residual censorship begins.

It loads no table: `kernel` does, and several workers may mark the flows of one table.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from middlebox.drivers.conntrack import Conntrack, Tuple
from middlebox.drivers.plane import DROP_NOW, NUMBERS, Plan
from middlebox.policy import Policy
from middlebox.verdict import Decision, Disposition, Ends, Verdict

#: flows that have a mark and can be found again, to take it back: some 60 MB. Beyond it the oldest loses its mark and
#: is asked about again
MAX_MARKED = 100_000
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}


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


class Marks:
    """The marks that one engine gives, by the numbers of `plan`."""

    def __init__(self, policy: Policy, plan: Plan, conntrack: Conntrack) -> None:
        self._plan = plan
        self._conntrack = conntrack
        self._marked = _index(policy)

    def change(self, policy: Policy, plan: Plan) -> None:
        """Go on under another policy; the marks that were given mean nothing any more."""
        self._plan, self._marked = plan, _index(policy)

    def mark(self, decision: Decision) -> int:
        """The mark that leaves the rest of the flow to the kernel; 0 if the engine must go on."""
        plan, text, disposition = self._plan, decision.flow, decision.disposition
        if text[:4] not in ("tcp ", "udp "):
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
            if self._marked is not None:
                oldest = self._marked.add(flow)
                if oldest is not None:
                    self._conntrack.unmark([oldest], NUMBERS)
        return mark | DROP_NOW if decision.verdict is Verdict.DROP else mark

    def _forward(self, flow: Tuple) -> bool:
        """Whether the flow's first packet came, for the kernel, from its client: if not known yet, it is this one."""
        first = self._conntrack.first_source(flow)
        return first is None or first == (flow.src, flow.src_port)

    def revoke(self, revoked: Iterable[Ends]) -> None:
        """Take the marks of flows back that have one of these ends. They are asked about from their next packet on."""
        if self._marked is not None:
            for ends in revoked:
                self._conntrack.unmark(self._marked.take(ends), NUMBERS)


def _index(policy: Policy) -> Marked | None:
    """Only residual censorship takes marks back."""
    return Marked() if any(rule.memory is not None for rule in policy.rules) else None
