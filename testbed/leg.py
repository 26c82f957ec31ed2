"""One leg of a run: all attempts of a scenario under one policy, or under none, in one lab.

It makes attempts and turns what clients saw into rows. It starts no lab and judges no policy.
"""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import groupby
from typing import Any, Protocol

from middlebox.intent import intended
from middlebox.policy import Policy
from testbed.addresses import Addresses
from testbed.emulate.outside import LabError
from testbed.fidelity import WITHOUT_BOX, BoxWatch, Judgement
from testbed.judging import Normal, judge
from testbed.passage import Passage, Passages
from testbed.result import CONTROL, Fidelity, Outcome, Row
from testbed.scenario import Scenario
from testbed.series import Series
from testbed.sites import Site
from testbed.slowed_by import of_row
from testbed.tool import Host
from testbed.topology import Role, Topology
from testbed.workload import Ask, Observation, Target, no_result
from testbed.workloads import WORKLOADS

MAIN = "main"  #: the phase of ordinary attempts

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
class Leg:
    """The attempts under one policy. `record` is called from several threads."""

    run: str
    scenario: Scenario
    policy: Policy | None
    seed: int
    lab: RunningLab
    topology: Topology
    record: Callable[[Row], None]
    link_means: str = ""
    slowed_by: str = ""  #: who carries out what the policy slows
    ipv6: bool = True  #: whether this machine's kernel gives the lab IPv6
    watch: BoxWatch | None = None
    usual: Mapping[str, Normal] = field(default_factory=dict)  #: by target: what the control was like
    keep: Callable[[Row, Series], None] = lambda row, series: None  # where transfers over time go
    addresses: Addresses = field(init=False)
    _truth: dict[str, tuple[str, ...]] = field(init=False)
    _heavy: threading.Lock = field(init=False)
    _server: str = field(init=False)
    _passages: Passages = field(init=False)
    _next_heavy_s: float = 0.0  #: when the next heavy client may start; monotonic

    def __post_init__(self) -> None:
        node = self.topology.node(self.scenario.subscriber)
        if node.block4 is None or node.block6 is None:
            raise ValueError(f"'{node.name}' is no subscriber: it has no addresses of its own")
        self.addresses = Addresses(node.block4, node.block6, node.ipv4)
        self._truth = {site.name: tuple(one for one in (site.ipv4, site.ipv6) if one) for site in self.lab.sites}
        self._heavy = threading.Lock()
        self._server = self.topology.having(Role.WEB)[0].name
        self._passages = Passages(self.lab, self.scenario.subscriber, self.topology, self.scenario.patience_s)

    @property
    def name(self) -> str:
        return self.policy.name if self.policy else CONTROL

    def attempts(self) -> list[tuple[int, Target]]:
        """All attempts in their order: round by round, each round in a random order of its own."""
        chance = random.Random(f"{self.seed} {self.name}")
        plan: list[tuple[int, Target]] = []
        for number in range(1, self.scenario.attempts + 1):
            targets = list(self.scenario.targets)
            chance.shuffle(targets)
            plan += [(number, target) for target in targets]
        return plan

    def measure(self) -> None:
        """Make all attempts, and make again, more gently, those during which the box was overloaded.

        Rows of both are recorded; only those of full fidelity count. An error that is not the network's ends it.
        """
        with Passages(self.lab, self.scenario.subscriber, self.topology, self.scenario.patience_s) as passages:
            self._passages = passages
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
        apart = sorted((one for one in plan if self.alone(one[1])), key=lambda one: one[1].tool)
        for tool, of_tool in groupby(apart, key=lambda one: one[1].tool):  # "", which is none, comes first
            if tool:
                self._passages.open(tool)
            suspect += self._several(list(of_tool), 1)
            if tool:
                self._passages.shut(tool)
        return suspect

    def alone(self, target: Target) -> bool:
        """Whether an attempt needs the subscriber's link for itself: it fills it, unless the policy slows it down."""
        workload = WORKLOADS[target.workload]
        return bool(target.tool) or (workload.fills and self.meant(target) is Outcome.OK)

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
            truth=self._truth,
        )
        if workload.heavy:
            self._wait_for_start()
        if passage and passage.failed:
            begin_s, seen = time.time(), passage.failed
        elif not self.ipv6 and target.family == 6:
            begin_s, seen = time.time(), no_result(NO_IPV6)
        else:
            begin_s, seen = _measure(ask)
        seen = dataclasses.replace(seen, outcome=judge(seen, self.usual.get(target.name), target.skip_s))
        judged = self.watch.judge(begin_s, time.time()) if self.watch else WITHOUT_BOX
        row = self._row(target, number, phase, source, begin_s, seen, judged, after_trigger_s, passage)
        self.record(row)
        if seen.series is not None:
            self.keep(row, seen.series)
        return row

    def _wait_for_start(self) -> None:
        """Let heavy clients start one after another, or they slow down each other and the box."""
        with self._heavy:
            now_s = time.monotonic()
            mine_s = max(now_s, self._next_heavy_s)
            self._next_heavy_s = mine_s + HEAVY_APART_S
        time.sleep(mine_s - now_s)

    def source(self, target: Target) -> str:
        """A fresh address for an attempt at `target`."""
        four, six = self.addresses.fresh()
        # the lab's resolver is asked over IPv4, also for AAAA
        return six if target.family == 6 and WORKLOADS[target.workload].protocol != "dns" else four

    def meant(self, target: Target) -> Outcome:
        """What the policy means to happen."""
        workload = WORKLOADS[target.workload]
        if target.tool:  # all that a box sees of it are packets to the relay: no name, and no server's address
            relay = ip_address(self.topology.having(Role.RELAY)[0].ipv4).packed
            return Outcome(intended(self.policy, address=relay, protocol="", family=4, resolves=False))
        addresses = [one for one in self._truth.get(target.host, ()) if (":" in one) == (target.family == 6)]
        word = intended(
            self.policy,
            name=target.host if workload.says_name else None,
            address=ip_address(addresses[0]).packed if addresses else None,
            protocol=workload.protocol,
            family=target.family,
            resolves=workload.says_name,
            size=workload.size(target),
        )
        return Outcome(word)

    def _row(
        self,
        target: Target,
        number: int,
        phase: str,
        source: str,
        begin_s: float,
        seen: Observation,
        judged: Judgement,
        after_trigger_s: float | None,
        passage: Passage | None,
    ) -> Row:
        if judged.fidelity is Fidelity.NONE:
            seen = no_result(f"{judged.reason}; the client saw: {seen.outcome.value} {seen.failure}")
        elif seen.outcome is Outcome.NO_RESULT:
            judged = Judgement(
                fidelity=Fidelity.NONE,
                reason=f"the attempt could not be made: {seen.note}",
                added_p99_s=judged.added_p99_s,
                drops=judged.drops,
            )
        return Row(
            run=self.run,
            scenario=self.scenario.name,
            backend="emulate",
            seed=self.seed,
            policy=self.name,
            subscriber=self.scenario.subscriber,
            access=self.topology.node(self.scenario.subscriber).access,
            tool=target.tool,
            workload=target.workload,
            target=target.name,
            attempt=number,
            phase=phase,
            started_s=round(begin_s, 6),
            outcome=seen.outcome,
            failure=seen.failure,
            seconds=seen.seconds,
            time_to_first_byte=seen.time_to_first_byte,
            goodput=None if seen.goodput is None else round(seen.goodput, 1),
            bytes=seen.bytes,
            intended=(meant := self.meant(target)),
            fidelity=judged.fidelity,
            fidelity_reason=judged.reason,
            box_added_p99_s=judged.added_p99_s,
            queue_drops=judged.drops,
            address=source,
            link_means=self.link_means,
            connect_s=seen.connect_s,
            tls_s=seen.tls_s,
            after_trigger_s=after_trigger_s,
            note=seen.note,
            rtt_s=seen.rtt_s,
            min_rtt_s=seen.min_rtt_s,
            retransmitted=seen.retransmitted,
            exit_address=seen.exit_address,
            time_to_tunnel_s=passage.ready_s if passage else None,
            tunnel_attempts=1 if passage else None,
            slowed_by=of_row(self.slowed_by, meant),
        )


def _measure(ask: Ask) -> tuple[float, Observation]:
    begin_s = time.time()
    try:
        return begin_s, WORKLOADS[ask.target.workload].measure(ask)
    except (OSError, LabError) as error:  # the lab has ended
        return begin_s, no_result(str(error))
