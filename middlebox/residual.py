"""Residual censorship: a bounded memory of whom a rule has struck, looked up by the addresses of any packet.

It knows tuples and times; what is done to a flow that is remembered, `censor` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from middlebox.packet import PacketView
from middlebox.policy import Key, Memory, Rearm, Rule
from middlebox.verdict import Direction

#: a time that never comes
FOR_EVER: Final = 1 << 126

_NOBODY: Final[tuple[tuple[Rule, str, Direction], ...]] = ()
_Tuple = tuple[Key, int, bytes, int, bytes, int]


def key_of(key: Key, proto: int, client: bytes, client_port: int, server: bytes, server_port: int) -> _Tuple:
    """What a later flow must share: the parts that do not count are empty. Ports count with their transport."""
    if key is Key.CLIENT:
        return (key, 0, client, 0, b"", 0)
    if key is Key.SERVER:
        return (key, 0, b"", 0, server, 0)
    if key is Key.TWO:
        return (key, 0, client, 0, server, 0)
    if key is Key.THREE:
        return (key, proto, client, 0, server, server_port)
    return (key, proto, client, client_port, server, server_port)


class _Remembering:
    """One entry: which rule, from when, until when."""

    __slots__ = ("begin_ns", "end_ns", "flow", "rule")

    def __init__(self, rule: Rule, flow: str, begin_ns: int, end_ns: int) -> None:
        self.rule = rule
        self.flow = flow  # the flow that was struck
        self.begin_ns = begin_ns
        self.end_ns = end_ns


class Residual:
    """Whom the rules remember, each rule for itself; beyond the limit the oldest entry goes."""

    __slots__ = ("_entries", "_keys", "_limit", "count", "evicted")

    def __init__(self, rules: tuple[Rule, ...], limit: int) -> None:
        self._entries: dict[_Tuple, list[_Remembering]] = {}  # of one tuple: an entry for each rule that struck it
        self.count = 0  #: entries
        self._keys = tuple(sorted({rule.memory.key for rule in rules if rule.memory}, key=lambda key: key.value))
        self._limit = limit
        self.evicted = 0

    def __len__(self) -> int:
        return self.count

    def carry(self, before: Residual, rules: Mapping[str, Rule]) -> None:
        """Take over what was remembered under another policy, for the rules that still remember by the same key."""
        for key, entries in before._entries.items():
            for entry in entries:
                rule = rules.get(entry.rule.name)
                if (
                    rule is not None
                    and rule.memory is not None
                    and rule.memory.key is key[0]
                    and len(self) < self._limit
                ):
                    entry.rule = rule
                    self._entries.setdefault(key, []).append(entry)
                    self.count += 1

    def strike(
        self, rule: Rule, memory: Memory, now_ns: int, flow: str, proto: int, ends: tuple[bytes, int, bytes, int]
    ) -> bool:
        """Remember a flow's ends (client, its port, server, its port); False if they already were, and stay as is."""
        key = key_of(memory.key, proto, *ends)
        begin = now_ns + memory.delay_ns
        end = FOR_EVER if memory.duration_ns is None else begin + memory.duration_ns
        for entry in self._alive(key, now_ns):
            if entry.rule is rule:
                if memory.rearm is Rearm.NEVER:
                    return False
                entry.end_ns = max(entry.end_ns, end)
                return True
        while self.count >= self._limit:
            self._evict()
        self._entries.setdefault(key, []).append(_Remembering(rule, flow, begin, end))
        self.count += 1
        return True

    def _evict(self) -> None:
        oldest = next(iter(self._entries))
        entries = self._entries[oldest]
        del entries[0]
        if not entries:
            del self._entries[oldest]
        self.count -= 1
        self.evicted += 1

    def _alive(self, key: _Tuple, now_ns: int) -> list[_Remembering]:
        """The entries of one tuple whose time has not run out; the others are forgotten."""
        entries = self._entries.get(key)
        if entries is None:
            return []
        if any(entry.end_ns <= now_ns for entry in entries):
            alive = [entry for entry in entries if entry.end_ns > now_ns]
            self.count -= len(entries) - len(alive)
            if not alive:
                del self._entries[key]
                return []
            entries = self._entries[key] = alive
        return entries

    def find(self, view: PacketView, now_ns: int) -> Sequence[tuple[Rule, str, Direction]]:
        """The rules that remember this packet's ends, the flow that was struck, and which way the packet goes."""
        if not self._entries:
            return _NOBODY
        found: list[tuple[Rule, str, Direction]] = []
        for key in self._keys:
            for direction in (Direction.TO_SERVER, Direction.TO_CLIENT):
                if direction is Direction.TO_SERVER:
                    name = key_of(key, view.proto, view.src, view.src_port, view.dst, view.dst_port)
                else:
                    name = key_of(key, view.proto, view.dst, view.dst_port, view.src, view.src_port)
                for entry in self._alive(name, now_ns):
                    if entry.begin_ns > now_ns:
                        continue
                    memory = entry.rule.memory
                    assert memory is not None
                    if memory.rearm is Rearm.ON_PACKET and memory.duration_ns is not None:
                        entry.end_ns = now_ns + memory.duration_ns
                    found.append((entry.rule, entry.flow, direction))
        return found

    def concerns(self, view: PacketView, now_ns: int) -> bool:
        """True if any rule remembers this packet's ends, now or from some time on."""
        for key in self._keys:
            for ends in (
                (view.src, view.src_port, view.dst, view.dst_port),
                (view.dst, view.dst_port, view.src, view.src_port),
            ):
                if any(entry.end_ns > now_ns for entry in self._entries.get(key_of(key, view.proto, *ends), ())):
                    return True
        return False
