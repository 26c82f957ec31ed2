"""Virtual time: SimPy's environment, counted in whole nanoseconds since 1970.

It reads no clock of the machine. Whole numbers, because seconds as floating point can stand still: a timer that is
asked for at a time which rounds to just before itself fires for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from simpy.core import Environment
from simpy.events import Event, Timeout

#: one second, in the clock's unit
SECOND_NS = 1_000_000_000
#: when simulations begin unless told otherwise: 2025-01-01, midnight UTC; policies with schedules read it
START_NS = 1_735_689_600 * SECOND_NS
#: events at one instant that are taken for a loop: a thousand times what the largest burst of packets makes
MAX_AT_ONCE = 100_000


class StoppedTimeError(RuntimeError):
    """Events follow one another without end, and time does not advance."""


class Clock(Environment):
    """SimPy's environment with whole nanoseconds and a watchdog."""

    def __init__(self, start_ns: int = START_NS, *, max_at_once: int = MAX_AT_ONCE) -> None:
        super().__init__(initial_time=start_ns)
        self.start_ns = start_ns
        self._max_at_once = max_at_once
        self._stands_at: float = start_ns
        self._at_once = 0

    @property
    def now_ns(self) -> int:
        return self._now  # type: ignore[return-value]  # SimPy says "a number"; this one only ever gets whole ones

    @property
    def elapsed_s(self) -> float:
        """Seconds since the simulation began."""
        return (self._now - self.start_ns) / SECOND_NS

    def after(self, delay_ns: int, callback: Callable[[Event], None], value: object = None) -> Timeout:
        """Have `callback` called with an event that carries `value`. Raises ValueError for a negative delay."""
        event = Timeout(self, delay_ns, value)
        event.callbacks.append(callback)
        return event

    def wait(self, seconds: float) -> Timeout:
        """An event for scenarios to yield: `yield clock.wait(0.5)`."""
        return Timeout(self, round(seconds * SECOND_NS))

    def run_for(self, seconds: float) -> None:
        """Let this much time pass."""
        self.run(until=self.now_ns + round(seconds * SECOND_NS))

    def step(self) -> None:
        """Process the next event. Raises StoppedTimeError when time has not advanced for too many of them."""
        super().step()
        if type(self._now) is not int:
            raise TypeError(f"the clock was set to {self._now!r}; times and delays are whole nanoseconds")
        if self._now != self._stands_at:
            self._stands_at = self._now
            self._at_once = 0
            return
        self._at_once += 1
        if self._at_once > self._max_at_once:
            raise StoppedTimeError(
                f"time stands still {self.elapsed_s:.9f} s after the start: {self._at_once} events at one instant; "
                f"the next is {self._queue[0][3] if self._queue else 'none'}"
            )


class Signal:
    """Something happens again and again: who waits is told the next time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.next = Event(clock)  #: to yield: the next time that it happens

    def tell(self) -> None:
        """It happens."""
        now, self.next = self.next, Event(self._clock)
        now.succeed()
