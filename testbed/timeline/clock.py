"""The phases of a leg as they pass: which one it is, when each began and ended, and when the tools are due.

`Course` only tells; `Clock` waits as well. Neither makes an attempt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from testbed.timeline.values import Phase, Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A phase that was, or is. Times since 1970-01-01 UTC."""

    name: str
    begin_s: float
    end_s: float


class Course:
    """The phases up to now. It neither waits nor knows what time it is."""

    def __init__(
        self, phases: Sequence[Phase], factor: float, held_s: float | None = None, renew_s: float = 10.0
    ) -> None:
        self.phases = phases
        self._factor, self._renew_s = factor, renew_s
        self.held_s = held_s  #: tools connect anew so long after a ruled phase has begun; None: never by themselves
        self._ruled = {phase.name for phase in phases if phase.ruled}
        self.passed: list[Passed] = []

    @classmethod
    def along(cls, timeline: Timeline, policy: str) -> Self:
        """The course of a leg under the policy of this name."""
        held_s = timeline.held_s if timeline.renews(policy) else None
        return cls(timeline.phases, timeline.stretch * timeline.slowdown, held_s, timeline.renew_s)

    def begin(self, phase: Phase, now_s: float) -> Passed:
        """A phase begins."""
        now = Passed(name=phase.name, begin_s=now_s, end_s=now_s + phase.seconds * self._factor)
        self.passed.append(now)
        return now

    @property
    def phase(self) -> str:
        """The phase that it is now; the first one's name before it begins."""
        return self.passed[-1].name if self.passed else self.phases[0].name

    def at(self, time_s: float) -> str:
        """The phase that it was at a time."""
        return next((one.name for one in self.passed if one.begin_s <= time_s < one.end_s), self.phase)

    def due(self, since_s: float, later_s: float = 0.0) -> float:
        """When a connection made at this time is to be made anew; `later_s`: so that not all do it at once.

        In a ruled phase alone: `held_s` after its start, and again and again `renew_s` after that.
        """
        last = self.passed[-1] if self.passed else None
        if self.held_s is None or last is None or last.name not in self._ruled:
            return float("inf")
        first_s = last.begin_s + (self.held_s + later_s) * self._factor
        if since_s < first_s:
            return first_s
        every_s = self._renew_s * self._factor
        return first_s + (int((since_s - first_s) / every_s) + 1) * every_s


class Clock(Course):
    """Passes through the phases once. Safe for threads, which ask it where they are."""

    def __init__(
        self, phases: Sequence[Phase], factor: float, held_s: float | None = None, renew_s: float = 10.0
    ) -> None:
        super().__init__(phases, factor, held_s, renew_s)
        self._over = threading.Event()

    def run(self, enter: Callable[[Phase], None], left: Callable[[Passed], None]) -> None:
        """Go through all phases: `enter` at each one's start, `left` when it is over. Returns early after `stop`."""
        for phase in self.phases:
            if self._over.is_set():
                return
            enter(phase)
            now = self.begin(phase, time.time())
            self._over.wait(max(0.0, now.end_s - time.time()))
            left(now)
        self._over.set()

    def stop(self) -> None:
        self._over.set()

    def over(self) -> bool:
        return self._over.is_set()

    def rest(self, seconds: float) -> bool:
        """Pause; True if the leg is over by then."""
        return self._over.wait(seconds)
