"""The phases of a leg as they pass: which one it is, when each began and ended, and when the tools are due.

It waits and tells; it makes no attempt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testbed.timeline.values import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A phase that was, or is. Times since 1970-01-01 UTC."""

    name: str
    begin_s: float
    end_s: float


class Clock:
    """Passes through the phases once. Safe for threads, which ask it where they are."""

    def __init__(
        self, phases: Sequence[Phase], factor: float, held_s: float | None = None, renew_s: float = 10.0
    ) -> None:
        self._phases, self._factor, self._held_s, self._renew_s = phases, factor, held_s, renew_s
        self._ruled = {phase.name for phase in phases if phase.ruled}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.passed: list[Passed] = []

    def run(self, enter: Callable[[Phase], None], left: Callable[[Passed], None]) -> None:
        """Go through all phases: `enter` at each one's start, `left` when it is over. Returns early after `stop`."""
        for phase in self._phases:
            if self._over.is_set():
                return
            enter(phase)
            begin_s = time.time()
            now = Passed(name=phase.name, begin_s=begin_s, end_s=begin_s + phase.seconds * self._factor)
            with self._lock:
                self.passed.append(now)
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

    @property
    def phase(self) -> str:
        """The phase that it is now; the first one's name before it begins."""
        with self._lock:
            return self.passed[-1].name if self.passed else self._phases[0].name

    def due(self, since_s: float, later_s: float = 0.0) -> float:
        """When a connection made at this time is to be made anew; `later_s`: so that not all do it at once.

        In a ruled phase alone: `held_s` after its start, and again and again `renew_s` after that.
        """
        with self._lock:
            last = self.passed[-1] if self.passed else None
        if self._held_s is None or last is None or last.name not in self._ruled:
            return float("inf")
        first_s = last.begin_s + (self._held_s + later_s) * self._factor
        if since_s < first_s:
            return first_s
        every_s = self._renew_s * self._factor
        return first_s + (int((since_s - first_s) / every_s) + 1) * every_s
