"""Counts the flows that a rule with a threshold matches, and says which of them are beyond it.

Each flow is counted once, also one that is not spared: who goes on trying keeps the count up. The memory is bounded.
"""

from __future__ import annotations

from collections import deque

from middlebox.passing import Passing
from middlebox.policy import Rule, Threshold
from middlebox.residual import key_of


class Thresholds:
    """The latest times of all flows that are counted together; beyond the limit the oldest count goes."""

    __slots__ = ("_limit", "_times", "evicted")

    def __init__(self, limit: int) -> None:
        self._times: dict[tuple[object, ...], deque[int]] = {}
        self._limit = limit
        self.evicted = 0

    def spare(self, rule: Rule, threshold: Threshold, packet: Passing) -> str:
        """Count the packet's flow, and say why the rule spares it; "" if it is beyond the threshold."""
        flow = packet.flow
        if flow is None:
            return f"rule '{rule.name}' matches, but counts flows, and this packet belongs to none"
        key = (rule.name, *key_of(threshold.per, flow.proto, *flow.ends))
        times = self._times.pop(key, None)  # it goes to the young end
        if times is None:
            times = deque(maxlen=threshold.more_than + 1)
            while len(self._times) >= self._limit:
                del self._times[next(iter(self._times))]
                self.evicted += 1
        self._times[key] = times
        if rule.name not in flow.met:
            flow.met = (*flow.met, rule.name)
            times.append(packet.now_ns)
        begin_ns = packet.now_ns - threshold.within_ns
        while times and times[0] <= begin_ns:
            times.popleft()
        if len(times) > threshold.more_than:
            return ""
        return f"rule '{rule.name}' matches, but this is flow {len(times)} of the {threshold.more_than} that it spares"
