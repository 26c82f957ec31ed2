"""How long residual censorship lasts, asked in virtual time: as `testbed.residual` asks it in a lab.

One trigger, one wait, one probe, each time from another client address; no more probes once several in a row got
through.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from testbed.residual import APART_S, ENOUGH, NEIGHBOUR, RESIDUAL, TRIGGER, TRIGGER_LIMIT_S, waits
from testbed.result import Outcome
from testbed.virtual.leg import VirtualLeg


class VirtualProbing:
    """The probes of one leg; `probe` is the process that makes them all."""

    def __init__(self, leg: VirtualLeg) -> None:
        plan = leg.scenario.residual
        if plan is None:
            raise ValueError(f"scenario '{leg.scenario.name}' asks for no residual censorship")
        self._leg = leg
        self._clock = leg.lab.clock
        self._trigger = leg.scenario.target(plan.trigger)
        self._probe = leg.scenario.target(plan.probe)
        self._waits = waits(leg.scenario.residual_wait_s)
        self._passed: dict[int, bool] = {}
        self._over = Event(self._clock)

    def probe(self) -> Generator[Event, Any, None]:
        """Make all probes, each by a process of its own."""
        yield self._clock.all_of([self._clock.process(self._one(number)) for number in range(len(self._waits))])

    def _one(self, number: int) -> Generator[Event, Any, None]:
        leg = self._leg
        yield self._clock.wait(APART_S * number)
        source = leg.source(self._trigger)
        limit_s = TRIGGER_LIMIT_S * leg.scenario.slowdown
        row = yield from leg.attempt(self._trigger, number + 1, source=source, phase=TRIGGER, limit_s=limit_s)
        if row.outcome is not Outcome.BLOCKED:
            return  # nothing was triggered, so nothing can stay behind
        # the name goes out when TCP is connected; without a connection it was the DNS question at the start
        said_s = row.started_s + (row.connect_s or 0.0)
        if number == 0:
            yield from self._ask(0, leg.source(self._probe), NEIGHBOUR, said_s)
        # who still waits when it is over need not: the leg ends then, as in a lab
        yield self._over | self._clock.wait(max(0.0, said_s + self._waits[number] - leg.now_s))
        if self._over.triggered:
            return
        self._passed[number] = yield from self._ask(number, source, RESIDUAL, said_s)
        last = [self._passed.get(one, False) for one in range(number - ENOUGH + 1, number + 1)]
        if all(last) and not self._over.triggered:
            self._over.succeed()

    def _ask(self, number: int, source: str, phase: str, said_s: float) -> Generator[Event, Any, bool]:
        after_s = max(0.0, round(self._leg.now_s - said_s, 3))
        row = yield from self._leg.attempt(self._probe, number + 1, source=source, phase=phase, after_trigger_s=after_s)
        return row.outcome is Outcome.OK
