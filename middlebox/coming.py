"""What a box has promised for later: packets that it holds, and injections whose time has not come.

A heap by time, then by order; bounded, and what finds no room is counted. It decides nothing.
"""

from __future__ import annotations

import heapq

from middlebox.passing import Passing
from middlebox.verdict import Emission, Verdict

#: packets held at once; a box with more to hold forwards at once, and counts it
MAX_HELD = 65_536
#: packets injected later, at once; beyond it none is added, and that is counted
MAX_COMING = 1 << 20


class Coming:
    """The promises of one box."""

    __slots__ = ("_heap", "_order", "held", "not_held", "not_injected")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Emission]] = []
        self._order = 0
        self.held = 0
        self.not_held = 0  #: packets that passed because too many were held
        self.not_injected = 0

    def due(self, now_ns: int) -> list[Emission]:
        """Take what is to leave by now, in the order of its times."""
        ready: list[Emission] = []
        while self._heap and self._heap[0][0] <= now_ns:
            emission = heapq.heappop(self._heap)[2]
            if emission.releases >= 0:
                self.held -= 1
            ready.append(emission)
        return ready

    def next_due(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def inject(self, emission: Emission) -> None:
        """Promise an injection."""
        if len(self._heap) >= MAX_COMING:
            self.not_injected += 1
        else:
            self._add(emission)

    def hold(self, packet: Passing, release_ns: int) -> Verdict:
        """Promise to let a packet go later; PASS if there is no room for it."""
        if self.held >= MAX_HELD:
            self.not_held += 1
            return Verdict.PASS
        self.held += 1
        self._add(
            Emission(packet=packet.raw, at_ns=release_ns, toward=packet.direction, injector="", releases=packet.number)
        )
        return Verdict.HOLD

    def _add(self, emission: Emission) -> None:
        heapq.heappush(self._heap, (emission.at_ns, self._order, emission))
        self._order += 1
