"""The table of all flows of a box, found by the addresses and ports of any packet.

It is bounded: the flow that has been silent longest goes first, and is counted. What a flow is, `flow` says.
"""

from __future__ import annotations

from collections.abc import Mapping

from middlebox.ability import Ability
from middlebox.flow import Flow
from middlebox.packet import PacketView
from middlebox.policy import Rule

FlowKey = tuple[bytes, int, bytes, int, int]

#: a flow moves to the young end of the table at most this often: cheap, and exact enough for forgetting
_FRESH_NS = 1_000_000_000
#: old flows that are looked at for idleness whenever a new one is made
_SWEEP = 2


class FlowTable:
    """All flows of a box."""

    __slots__ = ("_ability", "_flows", "buffered", "created", "evicted", "expired")

    def __init__(self, ability: Ability) -> None:
        self._ability = ability
        self._flows: dict[FlowKey, Flow] = {}
        self.buffered = 0  #: bytes that all flows hold unread
        self.created = 0
        self.evicted = 0  #: forgotten because the table was full
        self.expired = 0  #: forgotten because they were silent

    def __len__(self) -> int:
        return len(self._flows)

    def find(self, view: PacketView, now_ns: int) -> Flow | None:
        """The flow of a packet, in either direction; one that was silent too long is forgotten instead."""
        key = (view.src, view.src_port, view.dst, view.dst_port, view.proto)
        flow = self._flows.get(key)
        if flow is None:
            key = (view.dst, view.dst_port, view.src, view.src_port, view.proto)
            flow = self._flows.get(key)
            if flow is None:
                return None
        silent = now_ns - flow.last_ns
        if silent > _FRESH_NS:
            self._flows[key] = self._flows.pop(key)  # to the young end
            if silent > self._ability.tcp.idle_ns:
                self._remove(key)
                self.expired += 1
                return None
        flow.last_ns = now_ns
        return flow

    def make(self, view: PacketView, now_ns: int, *, from_server: bool) -> Flow:
        """A new flow that this packet begins (or, `from_server`, answers)."""
        if from_server:
            flow = Flow(view.proto, view.dst, view.dst_port, view.src, view.src_port)
        else:
            flow = Flow(view.proto, view.src, view.src_port, view.dst, view.dst_port)
        flow.last_ns = now_ns
        self._sweep(now_ns)
        self._flows[(flow.client, flow.client_port, flow.server, flow.server_port, flow.proto)] = flow
        self.created += 1
        return flow

    def forget(self, flow: Flow) -> None:
        key = (flow.client, flow.client_port, flow.server, flow.server_port, flow.proto)
        if self._flows.get(key) is flow:
            self._remove(key)

    def _remove(self, key: FlowKey) -> None:
        flow = self._flows.pop(key)
        self.buffered -= flow.counted
        flow.gone = True

    def account(self, flow: Flow) -> None:
        """Count anew what a flow holds unread."""
        if not flow.gone:
            held = flow.held
            self.buffered += held - flow.counted
            flow.counted = held

    def carry(self, ability: Ability, rules: Mapping[str, Rule]) -> None:
        """Go on under another policy, whose rules come by their names."""
        self._ability = ability
        for flow in self._flows.values():
            flow.carry(rules)

    def all(self) -> list[Flow]:
        return list(self._flows.values())

    def _sweep(self, now_ns: int) -> None:
        for _ in range(_SWEEP):
            oldest = next(iter(self._flows), None)
            if oldest is None or now_ns - self._flows[oldest].last_ns <= self._ability.tcp.idle_ns:
                break
            self._remove(oldest)
            self.expired += 1
        while len(self._flows) >= self._ability.limits.flows:
            self._remove(next(iter(self._flows)))
            self.evicted += 1
