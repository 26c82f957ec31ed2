"""Residual censorship: a bounded memory of whom a rule has struck, looked up by the addresses of any packet.

It knows tuples and times; what is done to a flow that is remembered, `censor` says.
"""

from __future__ import annotations

from middlebox.packet import PacketView
from middlebox.policy import Key, Memory, Rearm, Rule
from middlebox.verdict import Direction

#: a time that never comes
FOR_EVER = 1 << 126

_Tuple = tuple[Key, bytes, int, bytes, int]


def key_of(key: Key, client: bytes, client_port: int, server: bytes, server_port: int) -> _Tuple:
    """What a later flow must share: the parts that do not count are empty."""
    if key is Key.CLIENT:
        return (key, client, 0, b"", 0)
    if key is Key.SERVER:
        return (key, b"", 0, server, 0)
    if key is Key.TWO:
        return (key, client, 0, server, 0)
    if key is Key.THREE:
        return (key, client, 0, server, server_port)
    return (key, client, client_port, server, server_port)


class _Remembering:
    """One entry: which rule, from when, until when."""

    __slots__ = ("begin_ns", "end_ns", "flow", "rule")

    def __init__(self, rule: Rule, flow: str, begin_ns: int, end_ns: int) -> None:
        self.rule = rule
        self.flow = flow  # the flow that was struck
        self.begin_ns = begin_ns
        self.end_ns = end_ns


class Residual:
    """Whom the rules remember; beyond the limit the oldest entry goes."""

    __slots__ = ("_entries", "_keys", "_limit", "evicted")

    def __init__(self, rules: tuple[Rule, ...], limit: int) -> None:
        self._entries: dict[_Tuple, _Remembering] = {}
        self._keys = tuple(sorted({rule.memory.key for rule in rules if rule.memory}, key=lambda key: key.value))
        self._limit = limit
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._entries)

    def strike(self, rule: Rule, memory: Memory, now_ns: int, flow: str, ends: tuple[bytes, int, bytes, int]) -> bool:
        """Remember a flow's ends (client, its port, server, its port); False if they already were, and stay as is."""
        key = key_of(memory.key, *ends)
        entry = self._entries.get(key)
        begin = now_ns + memory.delay_ns
        end = FOR_EVER if memory.duration_ns is None else begin + memory.duration_ns
        if entry is not None and entry.end_ns > now_ns and entry.rule is rule:
            if memory.rearm is Rearm.NEVER:
                return False
            entry.end_ns = max(entry.end_ns, end)
            return True
        self._entries.pop(key, None)
        while len(self._entries) >= self._limit:
            del self._entries[next(iter(self._entries))]
            self.evicted += 1
        self._entries[key] = _Remembering(rule, flow, begin, end)
        return True

    def find(self, view: PacketView, now_ns: int) -> tuple[Rule, str, Direction] | None:
        """The rule that remembers this packet's ends, the flow that was struck, and which way the packet goes."""
        if not self._entries:
            return None
        for key in self._keys:
            for direction in (Direction.TO_SERVER, Direction.TO_CLIENT):
                if direction is Direction.TO_SERVER:
                    name = key_of(key, view.src, view.src_port, view.dst, view.dst_port)
                else:
                    name = key_of(key, view.dst, view.dst_port, view.src, view.src_port)
                entry = self._entries.get(name)
                if entry is None:
                    continue
                if entry.end_ns <= now_ns:
                    del self._entries[name]
                    continue
                if entry.begin_ns > now_ns:
                    continue
                memory = entry.rule.memory
                assert memory is not None
                if memory.rearm is Rearm.ON_PACKET and memory.duration_ns is not None:
                    entry.end_ns = now_ns + memory.duration_ns
                return entry.rule, entry.flow, direction
        return None
