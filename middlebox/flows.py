"""The table of all flows of a box, found by the addresses and ports of any packet.

It is bounded: the flow that has been silent longest goes first, and is counted. What a flow is, `flow` says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from middlebox.ability import Ability
from middlebox.flow import Flow
from middlebox.packet import PacketView, turned
from middlebox.policy import Rule

#: a flow moves to the young end of the table at most this often: cheap, and exact enough for forgetting
_FRESH_NS: Final = 1_000_000_000
#: old flows that are looked at for idleness whenever a new one is made
_SWEEP: Final = 2
#: entries of the queue that stand for nothing, beyond half as many as there are flows, before it is made anew
_STALE: Final = 1_024


class FlowTable:
    """All flows of a box, each under the key of its client's packets and under that of its server's.

    The queue tells who was silent longest: a flow that speaks again after a while is put at its end once more, and only
    the last of its entries counts. So neither finding nor forgetting a flow costs more when there are many.
    """

    __slots__ = ("_count", "_flows", "_idle_ns", "_limit", "_queue", "buffered", "created", "evicted", "expired")

    def __init__(self, ability: Ability) -> None:
        self._idle_ns = ability.tcp.idle_ns
        self._limit = ability.limits.flows
        self._flows: dict[bytes, Flow] = {}
        self._queue: deque[Flow] = deque()
        self._count = 0
        self.buffered = 0  #: bytes that all flows hold unread
        self.created = 0
        self.evicted = 0  #: forgotten because the table was full
        self.expired = 0  #: forgotten because they were silent

    def __len__(self) -> int:
        return self._count

    def find(self, view: PacketView, now_ns: int) -> Flow | None:
        """The flow of a packet, in either direction; one that was silent too long is forgotten instead."""
        flow = self._flows.get(view.key)
        if flow is None:
            return None
        silent = now_ns - flow.last_ns
        if silent > _FRESH_NS:
            if silent > self._idle_ns:
                self._remove(flow)
                self.expired += 1
                return None
            self._enqueue(flow)
        flow.last_ns = now_ns
        return flow

    def make(self, view: PacketView, now_ns: int, *, from_server: bool) -> Flow:
        """A new flow that this packet begins (or, `from_server`, answers)."""
        there = view.key
        back = turned(there)
        flow = Flow(view.proto, back if from_server else there)
        flow.last_ns = now_ns
        self._sweep(now_ns)
        self._flows[there] = self._flows[back] = flow
        self._enqueue(flow)
        self._count += 1
        self.created += 1
        return flow

    def forget(self, flow: Flow) -> None:
        if not flow.gone:
            self._remove(flow)

    def _remove(self, flow: Flow) -> None:
        del self._flows[flow.key]
        self._flows.pop(turned(flow.key), None)  # it is the same if a packet's two ends are
        self._count -= 1
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
        self._idle_ns = ability.tcp.idle_ns
        self._limit = ability.limits.flows
        for flow in self.all():
            flow.carry(rules)

    def all(self) -> list[Flow]:
        """Every flow, the one that was silent longest first."""
        self._tidy()
        return list(self._queue)

    def _sweep(self, now_ns: int) -> None:
        for _ in range(_SWEEP):
            oldest = self._oldest()
            if oldest is None or now_ns - oldest.last_ns <= self._idle_ns:
                break
            self._remove(oldest)
            self.expired += 1
        while self._count >= self._limit:
            oldest = self._oldest()
            assert oldest is not None
            self._remove(oldest)
            self.evicted += 1

    def _enqueue(self, flow: Flow) -> None:
        """Put a flow at the young end."""
        flow.queued += 1
        self._queue.append(flow)
        if len(self._queue) > self._count + (self._count >> 1) + _STALE:
            self._tidy()

    def _oldest(self) -> Flow | None:
        while self._queue:
            flow = self._queue[0]
            if flow.queued == 1 and not flow.gone:
                return flow
            self._queue.popleft()
            flow.queued -= 1
        return None

    def _tidy(self) -> None:
        """Make the queue anew, without what stands for nothing."""
        kept: deque[Flow] = deque()
        for flow in self._queue:
            if flow.queued == 1 and not flow.gone:
                kept.append(flow)
            else:
                flow.queued -= 1
        self._queue = kept
