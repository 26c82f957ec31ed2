"""How long residual censorship lasts: one trigger, one wait, one probe, each time from another client address.

A single probe per address, because a probe may start the time anew (policies that re-arm). Waits grow by a sixth, so
the end is found to about a sixth of itself; and no probe more is made once several in a row got through.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from testbed.leg import Leg
from testbed.result import Outcome
from testbed.scenario import Scenario

RESIDUAL = "residual"  #: the phase of probes from the address that triggered
NEIGHBOUR = "residual-neighbour"  #: the phase of probes from another address of the same network, at the same time
TRIGGER = "trigger"  #: the phase of the triggers

SHORTEST_S = 2.0
GROWTH = 7 / 6
#: seconds after which the client gives up a trigger: it has been sent long before, and the first probe waits for it
TRIGGER_LIMIT_S = 1.5
#: probes in a row that got through before it is over; a policy with a memory for half of all flows
#: (`coverage: 50 %`) lets six through once in 64 times
ENOUGH = 6
#: between two triggers, so that they are no burst on the box
APART_S = 0.05


def waits(longest_s: float) -> list[float]:
    """The waits, in seconds, growing up to `longest_s`; none if that is 0."""
    found: list[float] = []
    wait = SHORTEST_S
    while wait < longest_s:
        found.append(round(wait, 2))
        wait *= GROWTH
    return [*found, longest_s] if longest_s > 0 else []


class Probing:
    """The probes of one leg. `start` returns at once; `finish` waits for the last probe."""

    def __init__(self, leg: Leg) -> None:
        plan = leg.scenario.residual
        if plan is None:
            raise ValueError(f"scenario '{leg.scenario.name}' asks for no residual censorship")
        self._leg = leg
        self._trigger = leg.scenario.target(plan.trigger)
        self._probe = leg.scenario.target(plan.probe)
        self._waits = waits(leg.scenario.residual_wait_s)
        self._passed: dict[int, bool] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(max(1, len(self._waits)), thread_name_prefix=f"residual {leg.name}")
        self._tasks = [self._pool.submit(self._one, number) for number in range(len(self._waits))]

    def finish(self) -> None:
        """Wait for the end; raises what went wrong in a probe."""
        try:
            for task in self._tasks:
                task.result()
        finally:
            self.stop()

    def stop(self) -> None:
        """Give up the probes that are still waiting."""
        self._over.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, number: int) -> None:
        if self._over.wait(APART_S * number):
            return
        leg = self._leg
        source = leg.source(self._trigger)
        row = leg.attempt(
            self._trigger, number + 1, source=source, phase=TRIGGER, limit_s=TRIGGER_LIMIT_S * leg.scenario.slowdown
        )
        if row.outcome is not Outcome.BLOCKED:
            return  # nothing was triggered, so nothing can stay behind
        # the name goes out when TCP is connected; without a connection it was the DNS question at the start
        said_s = row.started_s + (row.connect_s or 0.0)
        if number == 0:
            self._ask(0, leg.source(self._probe), NEIGHBOUR, said_s)
        if self._over.wait(max(0.0, said_s + self._waits[number] - time.time())):
            return
        passed = self._ask(number, source, RESIDUAL, said_s)
        with self._lock:
            self._passed[number] = passed
            last = [self._passed.get(one, False) for one in range(number - ENOUGH + 1, number + 1)]
        if all(last):
            self._over.set()

    def _ask(self, number: int, source: str, phase: str, said_s: float) -> bool:
        after_s = max(0.0, round(time.time() - said_s, 3))
        row = self._leg.attempt(self._probe, number + 1, source=source, phase=phase, after_trigger_s=after_s)
        return row.outcome is Outcome.OK


def steps(scenario: Scenario) -> int:
    """How many attempts the probing of one leg makes at most, triggers included: for a progress bar."""
    there = len(waits(scenario.residual_wait_s)) if scenario.residual else 0
    return 2 * there + 1 if there else 0
