"""Flows whose packets need not be shown to the censor in virtual time, since it has said that they pass.

The kernel does the same for a live box, by marks (`marks`, whose rules these are); here it saves making and reading
bytes. What a flow that is left would have logged is nothing, so the log is that of a box that asks about every packet,
but for the packets' numbers. Flows that are dropped are asked about, as each of their packets is logged; of those that
are policed only the direction that is not. It decides nothing.
"""

from __future__ import annotations

from middlebox.drivers.kernel import wanted_of
from middlebox.drivers.marks import flow_of
from middlebox.packet import FIN, RST, SYN
from middlebox.policy import Policy
from middlebox.verdict import TO_CLIENT, TO_SERVER, Decision, Disposition, Verdict

#: source and its port, destination and its port
Key = tuple[bytes, int, bytes, int]

#: a packet of each flow is shown once in this time, or the box would take the flow for silent
_SHOWN_NS = 1_000_000_000
#: flows that are left at once; beyond it all are forgotten, and asked about once more
MAX_LEFT = 100_000
_ENDS = FIN | SYN | RST


class Leaving:
    """The TCP flows of one box that pass by themselves, by each direction."""

    __slots__ = ("_ends", "_left", "_passed", "_policed", "_used", "_ways")

    def __init__(self, policy: Policy) -> None:
        wanted = wanted_of(policy)
        self._left: dict[Key, int] = {}  # until when the direction needs not be shown
        self._ways: dict[tuple[Key, str], list[Key]] = {}  # of policed flows: the directions that are not
        self._used = wanted.fates
        self._passed = frozenset(("", *wanted.passed))
        self._policed = {name: policing.directions for name, policing in wanted.policed.items()}
        self._ends = _ENDS if wanted.ends else SYN

    def passes(self, key: Key, flags: int, now_ns: int) -> bool:
        """True if this packet goes on without being asked about."""
        until_ns = self._left.get(key)
        if until_ns is None:
            return False
        if flags & self._ends:
            self._forget(key)
            return False
        return now_ns < until_ns

    def note(self, key: Key, flags: int, decision: Decision) -> None:
        """Take what was decided on a packet of this flow."""
        disposition = decision.disposition
        if not self._used or flags & _ENDS or decision.verdict is Verdict.HOLD:
            return
        if disposition is Disposition.PASS:
            if decision.rule not in self._passed:
                return
            directions = [key, (key[2], key[3], key[0], key[1])]
        elif disposition is Disposition.POLICE and decision.policed_by in self._policed:
            known = self._ways.get((key, decision.policed_by))
            directions = self._free(key, decision) if known is None else known
        else:
            return
        if len(self._left) >= MAX_LEFT:
            self._left.clear()
            self._ways.clear()
        for one in directions:
            self._left[one] = decision.t_ns + _SHOWN_NS

    def _free(self, key: Key, decision: Decision) -> list[Key]:
        """The directions of a policed flow that are not policed."""
        flow = flow_of(decision.flow)
        if flow is None:
            return []
        up, down = key, (key[2], key[3], key[0], key[1])
        if (flow.src, flow.src_port) != key[:2]:
            up, down = down, up
        policed = self._policed[decision.policed_by]
        found = [one for way, one in ((TO_SERVER, up), (TO_CLIENT, down)) if way not in policed]
        self._ways[key, decision.policed_by] = found
        return found

    def revoke(self) -> None:
        """Some flows must be asked about again: all are, once, which costs less than to find out which."""
        self._left.clear()

    def _forget(self, key: Key) -> None:
        """A flow ends, or begins anew with other roles."""
        for one in (key, (key[2], key[3], key[0], key[1])):
            self._left.pop(one, None)
            for name in self._policed:
                self._ways.pop((one, name), None)
