"""One leg of a timeline in virtual time: everybody at work under one policy, or under none; rows and probes.

Its end is the end of time: whoever is in the middle of something then is never heard of again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simpy.events import Event

from testbed.fidelity import Judgement
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.fetch import Dialler
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.tunnels import TUNNELS, SimulatedServing
from testbed.slowed_by import slowed_by
from testbed.timeline.clock import Course
from testbed.timeline.leg import APART_S, PROBED
from testbed.timeline.rows import Rows
from testbed.timeline.run import Asked
from testbed.timeline.series import Series
from testbed.timeline.told import Telling
from testbed.timeline.values import Actor
from testbed.topology import Role
from testbed.virtual.leg import AT_ONCE
from testbed.virtual.timeline.acting import VirtualActing
from testbed.virtual.timeline.keeping import VirtualKeeping
from testbed.virtual.timeline.probing import VirtualProber

#: seconds between two looks at the clock, for who watches
_TICK_S = 1.0


class _Trusted:
    """A box in virtual time takes no time, and loses nothing before it."""

    def judge(self, begin_s: float, end_s: float) -> Judgement:
        return AT_ONCE


@dataclass(slots=True, kw_only=True)
class VirtualTimelineLeg:
    """The actors under one policy."""

    asked: Asked
    lab: SimulatedLab
    series: Series
    backend: str
    link_means: str
    course: Course = field(init=False)
    telling: Telling = field(init=False)
    serving: dict[str, SimulatedServing] = field(default_factory=dict)
    _keeping: dict[str, VirtualKeeping] = field(default_factory=dict)

    def __post_init__(self) -> None:
        timeline, policy = self.asked.timeline, self.asked.policy
        self.course = Course.along(timeline, self.asked.name)
        rows = Rows(
            run=self.asked.run,
            timeline=timeline,
            policy=self.asked.name,
            seed=self.asked.seed,
            record=self.asked.record,
            link_means=self.link_means,
            slowed_by=slowed_by(policy, None),
            watch=_Trusted() if self.lab.boxes else None,
            serving=self.serving,
            repeat=self.asked.repeat,
            own=None if self.asked.known else policy,
            backend=self.backend,
        )
        self.telling = Telling(
            timeline=timeline,
            rows=rows,
            series=self.series,
            course=self.course,
            keeping=self._keeping,
        )

    @property
    def now_s(self) -> float:
        """Seconds since 1970-01-01 UTC, in the simulation."""
        return self.lab.clock.now_ns / SECOND_NS

    def measure(self) -> Generator[Event, Any, None]:
        """Go through the phases."""
        timeline, clock = self.asked.timeline, self.lab.clock
        relay = timeline.network.having(Role.RELAY)[0].name
        for tool in timeline.tools:
            self.serving[tool] = TUNNELS[tool].serve(self.lab, self.lab.host(relay))
        truth = {site.name: site.ipv4 for site in self.lab.sites}
        acting = [self._acting(actor, truth) for actor in timeline.actors]
        begin_s = self.now_s
        for phase in timeline.phases:
            self.lab.enter_phase(phase.name)
            passed = self.course.begin(phase, self.now_s)
            if len(self.course.passed) == 1:
                for one in acting:
                    one.start()
            while self.now_s < passed.end_s:
                yield clock.wait(max(1e-9, min(_TICK_S, passed.end_s - self.now_s)))
                self.asked.tick(min(self.now_s - begin_s, timeline.seconds), phase.name)
            self.telling.left(passed)

    def _acting(self, actor: Actor, truth: dict[str, str]) -> VirtualActing:
        timeline = self.asked.timeline
        keeping = self._kept(actor) if actor.tool else None
        addresses = self.lab.addresses(actor.subscriber)
        self.lab.clock.process(self._probing(actor, keeping, truth[PROBED]))
        return VirtualActing(
            actor=actor,
            transfers={one.name: one for one in timeline.transfers},
            truth=truth,
            browser=self.lab.browser_of(actor.subscriber),
            clock=self.lab.clock,
            course=self.course,
            factor=timeline.slowdown,
            fresh=lambda: addresses.fresh()[0],
            tell=lambda done: self.telling.done(done, self.now_s),
            keeping=keeping,
        )

    def _kept(self, actor: Actor) -> VirtualKeeping:
        timeline = self.asked.timeline
        self._keeping[actor.name] = kept = VirtualKeeping(
            actor.tool,
            self.serving[actor.tool],
            self.lab.host(actor.subscriber),
            self.lab.clock,
            actor=actor.name,
            connect_s=timeline.connect_s * timeline.slowdown,
            patience_s=timeline.patience_s * timeline.slowdown,
            due=partial(self.course.due, later_s=APART_S * len(self._keeping)),
            series=self.series,
            tell=partial(self.telling.tried, actor),
        )
        return kept

    def _probing(self, actor: Actor, keeping: VirtualKeeping | None, address: str) -> Generator[Event, Any, None]:
        """Probe from the beginning, or from when the tool was up first."""
        timeline = self.asked.timeline
        through: Callable[[], Dialler | None]
        exit: Callable[[], str]
        if keeping is None:
            host = self.lab.host(actor.subscriber)
            through, exit = lambda: host, lambda: ""
        else:
            yield keeping.was_up
            exit_ = keeping.tunnel.via.exit if keeping.tunnel else ""
            through, exit = lambda: keeping.tunnel.inner if keeping.tunnel else None, lambda: exit_
        prober = VirtualProber(
            clock=self.lab.clock,
            series=self.series,
            actor=actor.name,
            address=address,
            name=PROBED,
            every_s=timeline.probe_s * timeline.slowdown,
            limit_s=timeline.probe_limit_s * timeline.slowdown,
            through=through,
            exit=exit,
        )
        yield from prober.run()
