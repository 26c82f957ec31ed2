"""One leg of a timeline: everybody at work under one policy, or under none, in one lab; rows and probes as they come.

It turns what clients saw into rows, judged like all others by the box's load. It starts no lab.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from middlebox.policy import Policy
from testbed import failure
from testbed.addresses import Addresses
from testbed.emulate.outside import LabError
from testbed.fidelity import BoxWatch
from testbed.leg import RunningLab
from testbed.result import CONTROL, Outcome, Row
from testbed.timeline.acting import Acting, Done
from testbed.timeline.clock import Clock, Passed
from testbed.timeline.keeping import Keeping, Tried
from testbed.timeline.rows import CONNECT, STAY, TRANSFER, Rows
from testbed.timeline.series import Probing, Series, recovery_s, stretch
from testbed.timeline.values import Actor, Phase, Timeline
from testbed.tool import Host as ToolHost
from testbed.tool import Serving, Via
from testbed.tools import TOOLS
from testbed.topology import Role
from testbed.workload import Observation

#: the site that probes ask; nobody blocks it, and it shares its address with no other
PROBED = "other.example"
#: how much of a phase must be answered for it to count as staying connected
STAYED = 0.95
#: seconds between the times at which two tools connect anew: starting one takes a good part of a core
APART_S = 0.4


class TimelineLab(RunningLab, Protocol):
    """What a leg asks of a lab beyond what `testbed.leg` does."""

    def enter_phase(self, phase: str) -> None: ...
    def dead(self) -> list[str]: ...


@dataclass(slots=True, kw_only=True)
class Leg:
    """The actors under one policy. `record` is called from several threads."""

    run: str
    timeline: Timeline
    policy: Policy | None
    seed: int
    lab: TimelineLab
    record: Callable[[Row], None]
    series: Series
    tick: Callable[[float, str], None] = lambda seconds, phase: None  #: how much of the leg has passed
    link_means: str = ""
    slowed_by: str = ""  #: who carries out what the policy slows
    watch: BoxWatch | None = None
    repeat: int = 1  #: which time it is that this policy is gone through
    known: bool = True  #: the scenario says what this policy means; it does so of shipped ones alone
    held_s: float | None = field(init=False)  #: after which tools connect anew
    rows: Rows = field(init=False)
    clock: Clock = field(init=False)
    serving: dict[str, Serving] = field(default_factory=dict)
    #: actor -> what its probes say of a ruled phase from when it connected anew, or began
    anew: dict[str, dict[str, float]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)  #: of the tools' servers, when all is over
    _keeping: dict[str, Keeping] = field(default_factory=dict)
    _reconnected: dict[str, int] = field(default_factory=dict)
    _rulings_end_s: float | None = None

    def __post_init__(self) -> None:
        factor = self.timeline.stretch * self.timeline.slowdown
        name = self.policy.name if self.policy else CONTROL
        self.held_s = self.timeline.held_s if self.timeline.renews(name) else None
        self.clock = Clock(self.timeline.phases, factor, self.held_s, self.timeline.renew_s)
        self.rows = Rows(
            run=self.run,
            timeline=self.timeline,
            policy=name,
            seed=self.seed,
            record=self.record,
            link_means=self.link_means,
            slowed_by=self.slowed_by,
            watch=self.watch,
            serving=self.serving,
            repeat=self.repeat,
            own=None if self.known else self.policy,
        )

    def measure(self) -> None:
        """Go through the phases; raises `LabError` if the lab ends, and whatever went wrong in an actor's thread."""
        timeline = self.timeline
        truth = {site.name: site.ipv4 for site in self.lab.sites}
        with ExitStack() as stack:
            for tool in timeline.tools:
                self.serving[tool] = TOOLS[tool].serve(self._host(self._relay()))
                stack.callback(self._close, tool)
            acting = [self._acting(actor, truth, stack) for actor in timeline.actors]
            stack.callback(self.clock.stop)
            ticker = threading.Thread(target=self._tick, daemon=True)
            self.clock.run(partial(self._enter, acting, ticker), self._left)
            for one in acting:
                one.join(0.3)
        for one in acting:
            for error in one.errors:
                raise error
        if any(name for name in self.lab.dead() if name not in self.lab.boxes):
            raise LabError(f"the lab's own programs have ended: {', '.join(self.lab.dead())}")

    def _close(self, tool: str) -> None:
        self.logs[tool] = self.serving[tool].log()
        self.serving[tool].close()

    def _relay(self) -> str:
        return self.timeline.network.having(Role.RELAY)[0].name

    def _host(self, name: str) -> ToolHost:
        host: Any = self.lab.host(name)  # the lab's hosts do all that a tool asks of one
        found: ToolHost = host
        return found

    def _acting(self, actor: Actor, truth: dict[str, str], stack: ExitStack) -> Acting:
        timeline = self.timeline
        node = timeline.network.node(actor.subscriber)
        assert node.block4 is not None
        assert node.block6 is not None
        addresses = Addresses(node.block4, node.block6, node.ipv4)
        host = self._host(actor.subscriber)
        prober = partial(self._prober, host, truth[PROBED])
        keeping = None
        if actor.tool:
            keeping = Keeping(
                actor.tool,
                self.serving[actor.tool],
                host,
                actor=actor.name,
                connect_s=timeline.connect_s * timeline.slowdown,
                patience_s=timeline.patience_s * timeline.slowdown,
                due=partial(self.clock.due, later_s=APART_S * len(self._keeping)),
                series=self.series,
                prober=prober,
                tell=partial(self._tried, actor),
            )
            self._keeping[actor.name] = keeping
            stack.callback(keeping.close)
        else:
            probing = Probing(prober(Via()), actor=actor.name, exit="", series=self.series)
            stack.callback(probing.close)
        return Acting(
            actor=actor,
            transfers={one.name: one for one in timeline.transfers},
            truth=truth,
            host=host,
            clock=self.clock,
            factor=timeline.slowdown,
            fresh=lambda: addresses.fresh()[0],
            tell=self._done,
            keeping=keeping,
        )

    def _prober(self, host: ToolHost, address: str, via: Via) -> Callable[[int], object]:
        """How to start a prober that goes this way."""
        script = Path(__file__).with_name("prober.py")
        every, limit = (one * self.timeline.slowdown for one in (self.timeline.probe_s, self.timeline.probe_limit_s))
        words = [sys.executable, "-I", "-S", str(script), f"{address}:80", PROBED, str(every), str(limit)]
        return lambda out: host.start([*words, via.source, via.proxy], stdout=out)

    def _enter(self, acting: list[Acting], ticker: threading.Thread, phase: Phase) -> None:
        try:
            self.lab.enter_phase(phase.name)
        except LabError:
            if not set(self.lab.dead()) & set(self.lab.boxes):
                raise
            # the box is dead: the rows say so, and those of the people beside it are kept
        if not self.clock.passed:
            for one in acting:
                one.start()
            ticker.start()

    def _tick(self) -> None:
        begin = time.monotonic()
        while not self.clock.rest(0.5):
            self.tick(min(time.monotonic() - begin, self.timeline.seconds), self.clock.phase)

    def _left(self, passed: Passed) -> None:
        """A phase is over: a row of each actor that says how it fared in it."""
        for actor in self.timeline.actors:
            self._stayed(actor, passed)
        if next(one for one in self.timeline.phases if one.name == passed.name).ruled:
            self._rulings_end_s = passed.end_s
            for actor in self.timeline.actors:
                self._anew(actor, passed)

    def _anew(self, actor: Actor, passed: Passed) -> None:
        """Judge the probes of a ruled phase from the actor's first new connection that was due, or from its start."""
        keeping = self._keeping.get(actor.name)
        held_s = (self.held_s or 0.0) * self.timeline.stretch * self.timeline.slowdown if keeping else 0.0
        since_s = passed.begin_s + held_s
        renewed = [one for one in keeping.renewed if one >= since_s] if keeping and self.held_s is not None else []
        since_s = min(renewed, default=since_s)
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
        keeping = self._keeping.get(actor.name)
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

    def _tried(self, actor: Actor, tried: Tried) -> None:
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
            phase=self._phase_at(tried.begin_s),
            begin_s=tried.begin_s,
            end_s=tried.begin_s + tried.seconds,
            seen=seen,
            exit_address=tried.exit,
            time_to_tunnel_s=tried.since_s if up else None,
            tunnel_attempts=tried.attempts,
        )

    def _done(self, done: Done) -> None:
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
            end_s=time.time(),
            seen=done.seen,
            dead=done.dead,
            source=done.source,
            exit_address=done.exit,
            rtt_s=trips[len(trips) // 2] if trips else None,
        )

    def _phase_at(self, time_s: float) -> str:
        return next((one.name for one in self.clock.passed if one.begin_s <= time_s < one.end_s), self.clock.phase)
