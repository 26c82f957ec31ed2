"""What clients saw along a timeline, made into rows: how far each can be trusted, and what the policy means.

A row during which the box or the tool's server was dead has no result, whatever the client saw. It measures nothing.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from middlebox.intent import intended
from middlebox.policy import Policy
from testbed.fidelity import WITHOUT_BOX, Judgement
from testbed.result import Fidelity, Outcome, Row
from testbed.slowed_by import of_row
from testbed.timeline.values import Actor, Timeline
from testbed.workload import Observation, no_result

TRANSFER, CONNECT, STAY = "transfer", "connect", "stay"  #: workloads of a timeline's rows
#: seconds that a box may add to one packet in a hundred before a row is suspect. Nothing here is a race that a late box
#: loses; a tenth of a second is what people begin to notice, and less than what the mildest of the policies does
MAX_ADDED_S = 0.1
REPEAT = 10_000  #: attempts of the second time through a timeline are counted from here on


class Watch(Protocol):
    """Who knows how far a box could be trusted in a span of time; `testbed.fidelity.BoxWatch` is one."""

    def judge(self, begin_s: float, end_s: float) -> Judgement: ...


class Alive(Protocol):
    """A tool's server."""

    def alive(self) -> bool: ...


@dataclass(slots=True, kw_only=True)
class Rows:
    """The rows of one leg. Safe for threads, as far as `record` is."""

    run: str
    timeline: Timeline
    policy: str
    seed: int
    record: Callable[[Row], None]
    link_means: str
    slowed_by: str
    watch: Watch | None
    serving: Mapping[str, Alive]
    repeat: int
    own: Policy | None = None  #: the policy, if the scenario does not know what it means
    backend: str = "emulate"
    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        actor: Actor,
        *,
        workload: str,
        target: str,
        transfer: str,
        phase: str,
        begin_s: float,
        end_s: float,
        seen: Observation,
        dead: str = "",
        source: str = "",
        **measures: Any,
    ) -> None:
        """Judge what was seen and record it; `measures`: further columns."""
        judged = self.watch.judge(begin_s, end_s) if self.watch else WITHOUT_BOX
        serving = self.serving.get(actor.tool)
        if not dead and serving is not None and not serving.alive():
            dead = f"the server of {actor.tool} has ended"
        if judged.fidelity is Fidelity.NONE or dead:
            reason = judged.reason if judged.fidelity is Fidelity.NONE else dead
            saw = f"the client saw: {seen.outcome.value} {seen.failure}".strip()
            judged = Judgement(
                fidelity=Fidelity.NONE, reason=reason, added_p99_s=judged.added_p99_s, drops=judged.drops
            )
            seen = no_result(f"{reason}; {saw}")
        elif seen.outcome is Outcome.NO_RESULT:
            judged = Judgement(
                fidelity=Fidelity.NONE, reason=seen.note, added_p99_s=judged.added_p99_s, drops=judged.drops
            )
        access = self.timeline.network.node(actor.subscriber).access
        means = self._means(actor, phase, access, transfer)
        with self._lock:
            self._counts[actor.name, workload, target] += 1
            number = self._counts[actor.name, workload, target]
        self.record(
            Row(
                run=self.run,
                scenario=self.timeline.name,
                backend=self.backend,
                seed=self.seed,
                policy=self.policy,
                subscriber=actor.subscriber,
                access=access,
                tool=actor.tool,
                workload=workload,
                target=target,
                attempt=number + REPEAT * (self.repeat - 1),
                phase=phase,
                started_s=round(begin_s, 6),
                outcome=seen.outcome,
                failure=seen.failure,
                seconds=None if seen.seconds is None else round(seen.seconds, 6),
                time_to_first_byte=seen.time_to_first_byte,
                goodput=None if seen.goodput is None else round(seen.goodput, 1),
                bytes=seen.bytes,
                intended=means,
                fidelity=judged.fidelity,
                fidelity_reason=judged.reason,
                box_added_p99_s=judged.added_p99_s,
                queue_drops=judged.drops,
                address=source,
                link_means=self.link_means,
                connect_s=seen.connect_s,
                tls_s=seen.tls_s,
                note=seen.note,
                slowed_by=self.slowed_by if means is None else of_row(self.slowed_by, means),
                **_rounded(measures),
            )
        )

    def _means(self, actor: Actor, phase: str, access: str, transfer: str) -> Outcome | None:
        """What the policy means, as the scenario says of a shipped one; of another, what its rules say of a name."""
        if self.own is None:
            meant = self.timeline.means(self.policy, phase, access=access, tool=actor.tool, transfer=transfer)
            return meant.outcome if meant else Outcome.OK
        awake = [rule for rule in self.own.rules if not rule.when.phases or phase in rule.when.phases]
        if not awake:
            return Outcome.OK
        if actor.tool or not transfer:  # a tool's packets name nothing that the rules could be asked about
            return None
        asked = self.timeline.transfer(transfer)
        policy = dataclasses.replace(self.own, rules=tuple(awake))
        return Outcome(intended(policy, name=asked.host, resolves=False, size=asked.bytes))


def _rounded(measures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(one, 6) if isinstance(one, float) else one for name, one in measures.items()}
