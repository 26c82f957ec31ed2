"""One leg in virtual time: all attempts of a scenario under one policy, or under none, as SimPy processes.

The order, the addresses and the rows are those of a leg in a lab (`testbed.attempts`). A box in virtual time is never
too slow, so no attempt is made twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from simpy.events import Event

from testbed.attempts import MAIN, Attempts, Made
from testbed.fidelity import WITHOUT_BOX, Judgement
from testbed.result import Fidelity, Row
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.laboratory import SimulatedLab
from testbed.virtual.applications import APPLICATIONS
from testbed.virtual.asking import Ask
from testbed.virtual.passage import VirtualPassage, VirtualPassages
from testbed.workload import Target

#: a box in virtual time takes none, and loses nothing before it
AT_ONCE = Judgement(fidelity=Fidelity.OK, added_p99_s=0.0, drops=0)


@dataclass(slots=True, kw_only=True)
class VirtualLeg(Attempts):
    """The attempts under one policy."""

    lab: SimulatedLab
    _passages: VirtualPassages = field(init=False)

    def __post_init__(self) -> None:
        Attempts.__post_init__(self)  # a class with slots is made twice, so super() would look for the first
        self.serve(self.lab.sites)
        self._passages = VirtualPassages(self.lab, self.scenario.subscriber, self.scenario.patience_s)

    @property
    def now_s(self) -> float:
        """Seconds since 1970-01-01 UTC, in the simulation."""
        return self.lab.clock.now_ns / SECOND_NS

    def measure(self) -> Generator[Event, Any, None]:
        """Make all attempts: first those that do not touch each other, several at a time, then the others in turn."""
        plan = self.attempts()
        yield from self._several([one for one in plan if not self.alone(one[1])], self.scenario.parallel)
        for tool, of_tool in self.groups(plan):
            yield from self._passages.open(tool)
            yield from self._several(of_tool, 1)
            self._passages.shut()

    def _several(self, plan: list[tuple[int, Target]], parallel: int) -> Generator[Event, Any, None]:
        """Make these attempts, so many at a time."""
        left = deque(plan)

        def one_by_one() -> Generator[Event, Any, None]:
            while left:
                number, target = left.popleft()
                yield from self.attempt(target, number, source=self.source(target))

        clock = self.lab.clock
        yield clock.all_of([clock.process(one_by_one()) for _ in range(parallel)])

    def attempt(
        self,
        target: Target,
        number: int,
        *,
        source: str,
        phase: str = MAIN,
        limit_s: float | None = None,
        after_trigger_s: float | None = None,
    ) -> Generator[Event, Any, Row]:
        """Make one attempt, record its row, and return it."""
        passage = self._passages.passage if target.tool else VirtualPassage()
        ask = Ask(
            lab=self.lab,
            subscriber=self.scenario.subscriber,
            target=target,
            limit_s=self.scenario.patience_s if limit_s is None else limit_s,
            source=source,
            truth=self.truth,
            tunnel=passage.tunnel,
        )
        begin_s = self.now_s
        seen = passage.failed or (yield from APPLICATIONS[target.workload](ask))
        made = Made(
            target=target,
            number=number,
            phase=phase,
            source=source,
            begin_s=begin_s,
            seen=seen,
            judged=AT_ONCE if self.lab.boxes else WITHOUT_BOX,
            after_trigger_s=after_trigger_s,
            ready_s=passage.ready_s,
        )
        return self.finish(made)
