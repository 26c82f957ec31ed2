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
from testbed.addresses import Addresses
from testbed.emulate.outside import LabError
from testbed.fidelity import BoxWatch
from testbed.leg import RunningLab
from testbed.result import CONTROL, Row
from testbed.timeline.acting import Acting
from testbed.timeline.clock import Clock
from testbed.timeline.keeping import Keeping
from testbed.timeline.rows import Rows
from testbed.timeline.series import Probing, Series
from testbed.timeline.told import Telling
from testbed.timeline.values import Actor, Phase, Timeline
from testbed.tool import Host as ToolHost
from testbed.tool import Serving, Via
from testbed.tools import TOOLS
from testbed.topology import Role

#: the site that probes ask; nobody blocks it, and it shares its address with no other
PROBED = "other.example"
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
    telling: Telling = field(init=False)
    clock: Clock = field(init=False)
    serving: dict[str, Serving] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)  #: of the tools' servers, when all is over
    _keeping: dict[str, Keeping] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.policy.name if self.policy else CONTROL
        self.clock = Clock.along(self.timeline, name)
        rows = Rows(
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
        self.telling = Telling(
            timeline=self.timeline,
            rows=rows,
            series=self.series,
            course=self.clock,
            keeping=self._keeping,
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
            self.clock.run(partial(self._enter, acting, ticker), self.telling.left)
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
                tell=partial(self.telling.tried, actor),
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
            tell=lambda done: self.telling.done(done, time.time()),
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
