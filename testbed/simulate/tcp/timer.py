"""A timer that may be set anew a thousand times for each time that it goes off.

SimPy's events cannot be taken back, so an event that comes too early asks again for the time that is still missing.
"""

from __future__ import annotations

from collections.abc import Callable

from simpy.events import Event

from testbed.simulate.clock import Clock


class Timer:
    """Calls `ring` once when `due_ns` has come."""

    __slots__ = ("_clock", "_comes_ns", "_ring", "due_ns")

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self.due_ns: int | None = None  #: None: not set
        self._clock = clock
        self._ring = ring
        self._comes_ns: int | None = None  # when the next event comes that looks at this timer

    def set(self, due_ns: int) -> None:
        """Go off then, and not at the time that was set before."""
        self.due_ns = due_ns
        comes_ns = self._comes_ns
        if comes_ns is None or due_ns < comes_ns:
            self._ask(due_ns)

    def stop(self) -> None:
        self.due_ns = None

    def _ask(self, at_ns: int) -> None:
        self._comes_ns = at_ns
        self._clock.after(max(0, at_ns - self._clock.now_ns), self._come, at_ns)

    def _come(self, event: Event) -> None:
        if event._value != self._comes_ns:
            return  # another event was asked for that came before this one
        self._comes_ns = None
        due_ns = self.due_ns
        if due_ns is None:
            return
        if due_ns > self._clock.now_ns:
            self._ask(due_ns)
            return
        self.due_ns = None
        self._ring()
