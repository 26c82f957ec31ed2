"""One leg of a run: all attempts of a scenario under one policy, or under none, in one lab.

It makes attempts and turns what clients saw into rows. It starts no lab and judges no policy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from testbed.attempts import MAIN, Attempts, Made
from testbed.emulate.outside import LabError
from testbed.fidelity import WITHOUT_BOX, BoxWatch
from testbed.passage import Passages
from testbed.result import Fidelity, Row
from testbed.sites import Site
from testbed.tool import Host
from testbed.topology import Role
from testbed.workload import Ask, Observation, Target, no_result
from testbed.workloads import WORKLOADS
from testbed.workloads.beside import Brings

NO_IPV6 = "this machine's kernel has no IPv6 ('penstock doctor' tells more)"

#: seconds between the starts of two heavy clients: one takes about 0.15 s of a core until it sends
HEAVY_APART_S = 0.25
#: how often suspect attempts are made again; then the machine is too slow, and the report says so
MORE_ROUNDS = 2


class RunningLab(Protocol):
    """What a leg asks of a lab; `testbed.Lab` is one."""

    @property
    def sites(self) -> Sequence[Site]: ...
    @property
    def boxes(self) -> Sequence[str]: ...
    def host(self, name: str) -> Host: ...
    def box_stats(self, name: str = "box", *, reset: bool = False) -> Mapping[str, Any] | None: ...
    def facts(self) -> Mapping[str, Any]: ...


@dataclass(slots=True, kw_only=True)
class Leg(Attempts):
    """The attempts under one policy. `record` is called from several threads."""

    lab: RunningLab
    ipv6: bool = True  #: whether this machine's kernel gives the lab IPv6
    watch: BoxWatch | None = None
    _heavy: threading.Lock = field(init=False)
    _server: str = field(init=False)
    _passages: Passages = field(init=False)
    _next_heavy_s: float = 0.0  #: when the next heavy client may start; monotonic

    def __post_init__(self) -> None:
        Attempts.__post_init__(self)  # a class with slots is made twice, so super() would look for the first
        self.serve(self.lab.sites)
        self._heavy = threading.Lock()
        self._server = self.topology.having(Role.WEB)[0].name
        self._passages = Passages(self.lab, self.scenario.subscriber, self.topology, self.scenario.patience_s)

    def measure(self) -> None:
        """Make all attempts, and make again, more gently, those during which the box was overloaded.

        Rows of both are recorded; only those of full fidelity count. An error that is not the network's ends it.
        """
        with ExitStack() as stack:
            for workload in dict.fromkeys(WORKLOADS[target.workload] for target in self.scenario.targets):
                if isinstance(workload, Brings):
                    stack.enter_context(workload.serve(self.lab.host(self._server)))
            self._passages = stack.enter_context(
                Passages(self.lab, self.scenario.subscriber, self.topology, self.scenario.patience_s)
            )
            left = self._some(self.attempts(), self.scenario.parallel)
            for round_ in range(1, MORE_ROUNDS + 1):
                if not left:
                    return
                again = [(number + round_ * self.scenario.attempts, target) for number, target in left]
                left = self._some(again, max(1, self.scenario.parallel // 2**round_))
                left = [(number - round_ * self.scenario.attempts, target) for number, target in left]

    def _some(self, plan: list[tuple[int, Target]], parallel: int) -> list[tuple[int, Target]]:
        """Make these attempts: first those that do not touch each other, many at a time, then the others one by one,
        without a tool and then tool by tool.

        Returns those that are suspect.
        """
        beside = [one for one in plan if not self.alone(one[1])]
        suspect = self._several(beside, parallel)
        for tool, of_tool in self.groups(plan):
            if tool:
                self._passages.open(tool)
            suspect += self._several(of_tool, 1)
            if tool:
                self._passages.shut(tool)
        return suspect

    def _several(self, plan: list[tuple[int, Target]], parallel: int) -> list[tuple[int, Target]]:
        """Make these attempts, `parallel` at a time; return those that are suspect."""
        with ThreadPoolExecutor(parallel, thread_name_prefix=self.name) as pool:
            under_way = [
                pool.submit(self.attempt, target, number, source=self.source(target)) for number, target in plan
            ]
            try:
                done, _ = wait(under_way, return_when=FIRST_EXCEPTION)
                for one in done:
                    one.result()
            finally:
                for one in under_way:
                    one.cancel()
        made = zip(plan, under_way, strict=True)
        return [what for what, one in made if one.result().fidelity is Fidelity.SUSPECT]

    def attempt(
        self,
        target: Target,
        number: int,
        *,
        source: str,
        phase: str = MAIN,
        limit_s: float | None = None,
        after_trigger_s: float | None = None,
    ) -> Row:
        """Make one attempt, record its row, and return it."""
        workload = WORKLOADS[target.workload]
        passage = self._passages.passage(target.tool) if target.tool else None
        ask = Ask(
            host=self.lab.host(self.scenario.subscriber),
            target=target,
            limit_s=self.scenario.patience_s if limit_s is None else limit_s,
            source=source,
            via=passage.via if passage else None,
            server=self.lab.host(self._server),
            truth=self.truth,
        )
        if workload.heavy:
            self._wait_for_start()
        if passage and passage.failed:
            begin_s, seen = time.time(), passage.failed
        elif not self.ipv6 and target.family == 6:
            begin_s, seen = time.time(), no_result(NO_IPV6)
        else:
            begin_s, seen = _measure(ask)
        made = Made(
            target=target,
            number=number,
            phase=phase,
            source=source,
            begin_s=begin_s,
            seen=seen,
            judged=self.watch.judge(begin_s, time.time()) if self.watch else WITHOUT_BOX,
            after_trigger_s=after_trigger_s,
            ready_s=passage.ready_s if passage else None,
        )
        return self.finish(made)

    def _wait_for_start(self) -> None:
        """Let heavy clients start one after another, or they slow down each other and the box."""
        with self._heavy:
            now_s = time.monotonic()
            mine_s = max(now_s, self._next_heavy_s)
            self._next_heavy_s = mine_s + HEAVY_APART_S
        time.sleep(mine_s - now_s)


def _measure(ask: Ask) -> tuple[float, Observation]:
    begin_s = time.time()
    try:
        return begin_s, WORKLOADS[ask.target.workload].measure(ask)
    except (OSError, LabError) as error:  # the lab has ended
        return begin_s, no_result(str(error))
