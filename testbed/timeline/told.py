"""What becomes of the people of a timeline, as rows: their transfers, their attempts to connect, each phase as a whole.

It judges what has been seen, in a lab or in virtual time; it starts nothing and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from testbed import failure
from testbed.result import Outcome
from testbed.timeline.acting import Done
from testbed.timeline.clock import Course, Passed
from testbed.timeline.keeping import Tried
from testbed.timeline.rows import CONNECT, STAY, TRANSFER, Rows
from testbed.timeline.series import Series, recovery_s, stretch
from testbed.timeline.values import Actor, Timeline
from testbed.workload import Observation

#: how much of a phase must be answered for it to count as staying connected
STAYED = 0.95


class Connecting(Protocol):
    """What is asked of an actor's tool; `testbed.timeline.keeping.Kept` is one."""

    @property
    def renewed(self) -> Sequence[float]: ...
    @property
    def reconnected(self) -> int: ...


@dataclass(slots=True, kw_only=True)
class Telling:
    """The rows of one leg; `keeping`: the tools of actors who have one."""

    timeline: Timeline
    rows: Rows
    series: Series
    course: Course
    keeping: Mapping[str, Connecting]
    #: actor -> what its probes say of a ruled phase from when it connected anew, or began
    anew: dict[str, dict[str, float]] = field(default_factory=dict)
    _reconnected: dict[str, int] = field(default_factory=dict)
    _rulings_end_s: float | None = None

    def left(self, passed: Passed) -> None:
        """A phase is over: a row of each actor that says how it fared in it."""
        for actor in self.timeline.actors:
            self._stayed(actor, passed)
        if next(one for one in self.timeline.phases if one.name == passed.name).ruled:
            self._rulings_end_s = passed.end_s
            for actor in self.timeline.actors:
                self._anew(actor, passed)

    def _anew(self, actor: Actor, passed: Passed) -> None:
        """Judge the probes of a ruled phase from the actor's first new connection that was due, or from its start."""
        keeping, held_s = self.keeping.get(actor.name), self.course.held_s
        since_s = passed.begin_s
        if keeping and held_s is not None:
            since_s += held_s * self.timeline.stretch * self.timeline.slowdown
            since_s = min((one for one in keeping.renewed if one >= since_s), default=since_s)
        apart_s = self.timeline.probe_s * self.timeline.slowdown
        found = stretch(self.series.of(actor.name), since_s, passed.end_s, apart_s)
        before = self.anew.get(actor.name, {"probes": 0, "answered": 0, "longest_outage_s": 0.0})
        self.anew[actor.name] = {
            "probes": before["probes"] + found.probes,
            "answered": before["answered"] + found.good,
            "longest_outage_s": max(before["longest_outage_s"], found.longest_outage_s),
        }

    def _stayed(self, actor: Actor, passed: Passed) -> None:
        probes = self.series.of(actor.name)
        apart_s = self.timeline.probe_s * self.timeline.slowdown
        found = stretch(probes, passed.begin_s, passed.end_s, apart_s)
        keeping = self.keeping.get(actor.name)
        before = self._reconnected.get(actor.name, 0)
        now = keeping.reconnected if keeping else 0
        self._reconnected[actor.name] = now
        seconds = passed.end_s - passed.begin_s
        if found.answered >= STAYED:
            seen = Observation(outcome=Outcome.OK, seconds=seconds)
        elif found.answered:
            seen = Observation(outcome=Outcome.DEGRADED, seconds=seconds, note=f"{found.answered:.0%} answered")
        else:
            why = failure.TIMEOUT
            seen = Observation(
                outcome=Outcome.BLOCKED, failure=why, seconds=seconds, note=found.why or "no way through"
            )
        recovered = None
        if self._rulings_end_s is not None and passed.begin_s >= self._rulings_end_s - 0.5:
            recovered = recovery_s([one for one in probes if one.t < passed.end_s], self._rulings_end_s)
        self.rows.add(
            actor,
            workload=STAY,
            target=passed.name,
            transfer="",
            phase=passed.name,
            begin_s=passed.begin_s,
            end_s=passed.end_s,
            seen=seen,
            rtt_s=found.rtt_s,
            exit_address=found.exit,
            longest_outage_s=found.longest_outage_s,
            recovery_s=recovered,
            reconnects=now - before if keeping else None,
        )

    def tried(self, actor: Actor, tried: Tried) -> None:
        """A row for an attempt to connect."""
        up = not tried.failure
        seen = Observation(
            outcome=Outcome.OK if up else Outcome.BLOCKED,
            failure=tried.failure,
            seconds=tried.seconds,
            note=tried.note[:200],
        )
        self.rows.add(
            actor,
            workload=CONNECT,
            target=actor.tool,
            transfer="",
            phase=self.course.at(tried.begin_s),
            begin_s=tried.begin_s,
            end_s=tried.begin_s + tried.seconds,
            seen=seen,
            exit_address=tried.exit,
            time_to_tunnel_s=tried.since_s if up else None,
            tunnel_attempts=tried.attempts,
        )

    def done(self, done: Done, now_s: float) -> None:
        """A row for a transfer."""
        seconds = done.seen.seconds or 0.0
        probes = [one for one in self.series.of(done.actor.name) if done.begin_s <= one.t <= done.begin_s + seconds]
        trips = sorted(one.rtt for one in probes if one.ok and one.rtt is not None)
        self.rows.add(
            done.actor,
            workload=TRANSFER,
            target=done.transfer.name,
            transfer=done.transfer.name,
            phase=done.phase,
            begin_s=done.begin_s,
            end_s=now_s,
            seen=done.seen,
            dead=done.dead,
            source=done.source,
            exit_address=done.exit,
            rtt_s=trips[len(trips) // 2] if trips else None,
        )
