"""The attempts of one leg, whoever makes them: their order, their addresses, what is meant, and how one becomes a row.

It makes no attempt, and knows no clock and no network but by the topology. `leg` makes them in a lab, `virtual.leg` in
virtual time.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import groupby

from middlebox.intent import intended
from middlebox.policy import Policy
from testbed.addresses import Addresses
from testbed.fidelity import Judgement
from testbed.judging import Normal, judge
from testbed.result import CONTROL, Fidelity, Outcome, Row
from testbed.scenario import Scenario
from testbed.series import Series
from testbed.sites import Site
from testbed.slowed_by import of_row
from testbed.tools import TOOLS
from testbed.topology import Role, Topology
from testbed.workload import Observation, Target, no_result
from testbed.workloads import WORKLOADS

#: the protocols that a policy asks for names; who asks for others knows tunnels
_NAMING = frozenset({"dns", "http", "quic", "tls"})
MAIN = "main"  #: the phase of ordinary attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One attempt that was made."""

    target: Target
    number: int
    phase: str
    source: str  #: the client's address
    begin_s: float  #: since 1970-01-01 UTC
    seen: Observation
    judged: Judgement
    after_trigger_s: float | None = None
    ready_s: float | None = None  #: until its tool was usable


@dataclass(slots=True, kw_only=True)
class Attempts:
    """What is known of a leg before it begins, and where its rows go."""

    run: str
    scenario: Scenario
    policy: Policy | None
    seed: int
    topology: Topology
    record: Callable[[Row], None]
    backend: str = "emulate"
    link_means: str = ""
    slowed_by: str = ""  #: who carries out what the policy slows
    usual: Mapping[str, Normal] = field(default_factory=dict)  #: by target: what the control was like
    keep: Callable[[Row, Series], None] = lambda row, series: None  # where transfers over time go
    addresses: Addresses = field(init=False)
    truth: Mapping[str, Sequence[str]] = field(init=False)  #: DNS name -> the addresses that it really has

    def __post_init__(self) -> None:
        node = self.topology.node(self.scenario.subscriber)
        if node.block4 is None or node.block6 is None:
            raise ValueError(f"'{node.name}' is no subscriber: it has no addresses of its own")
        self.addresses = Addresses(node.block4, node.block6, node.ipv4)
        self.truth = {}

    def serve(self, sites: Sequence[Site]) -> None:
        """Know the sites that are served."""
        self.truth = {site.name: tuple(one for one in (site.ipv4, site.ipv6) if one) for site in sites}

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

    def alone(self, target: Target) -> bool:
        """Whether an attempt needs the subscriber's link for itself: it fills it, unless the policy slows it down."""
        workload = WORKLOADS[target.workload]
        return bool(target.tool) or (workload.fills and self.meant(target) is Outcome.OK)

    def groups(self, plan: list[tuple[int, Target]]) -> list[tuple[str, list[tuple[int, Target]]]]:
        """Those that are made one by one, without a tool and then tool by tool; in the others' way stands nothing."""
        apart = sorted((one for one in plan if self.alone(one[1])), key=lambda one: one[1].tool)
        return [(tool, list(some)) for tool, some in groupby(apart, key=lambda one: one[1].tool)]  # "" comes first

    def source(self, target: Target) -> str:
        """A fresh address for an attempt at `target`."""
        four, six = self.addresses.fresh()
        # the lab's resolver is asked over IPv4, also for AAAA
        return six if target.family == 6 and WORKLOADS[target.workload].protocol != "dns" else four

    def meant(self, target: Target) -> Outcome | None:
        """What the policy means to happen; None where it knows tunnels and the attempt goes through one."""
        workload = WORKLOADS[target.workload]
        if target.tool in TOOLS and self.policy and any(rule.asks - _NAMING for rule in self.policy.rules):
            return None
        if target.tool in TOOLS:  # all that a box sees of it are packets to the relay: no name, and no server's address
            relay = ip_address(self.topology.having(Role.RELAY)[0].ipv4).packed
            return Outcome(intended(self.policy, address=relay, protocol="", family=4, resolves=False))
        addresses = [one for one in self.truth.get(target.host, ()) if (":" in one) == (target.family == 6)]
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

    def finish(self, made: Made) -> Row:
        """Judge an attempt, record its row, and return it."""
        target, seen, judged = made.target, made.seen, made.judged
        series = seen.series
        seen = dataclasses.replace(seen, outcome=judge(seen, self.usual.get(target.name), target.skip_s))
        if judged.fidelity is Fidelity.NONE:
            seen = no_result(f"{judged.reason}; the client saw: {seen.outcome.value} {seen.failure}")
        elif seen.outcome is Outcome.NO_RESULT:
            judged = dataclasses.replace(
                judged, fidelity=Fidelity.NONE, reason=f"the attempt could not be made: {seen.note}"
            )
        row = self._row(made, seen, judged)
        self.record(row)
        if series is not None:
            self.keep(row, series)
        return row

    def _row(self, made: Made, seen: Observation, judged: Judgement) -> Row:
        target = made.target
        meant = self.meant(target)
        return Row(
            run=self.run,
            scenario=self.scenario.name,
            backend=self.backend,
            seed=self.seed,
            policy=self.name,
            subscriber=self.scenario.subscriber,
            access=self.topology.node(self.scenario.subscriber).access,
            tool=target.tool,
            workload=target.workload,
            target=target.name,
            attempt=made.number,
            phase=made.phase,
            started_s=round(made.begin_s, 6),
            outcome=seen.outcome,
            failure=seen.failure,
            seconds=seen.seconds,
            time_to_first_byte=seen.time_to_first_byte,
            goodput=None if seen.goodput is None else round(seen.goodput, 1),
            bytes=seen.bytes,
            intended=meant,
            fidelity=judged.fidelity,
            fidelity_reason=judged.reason,
            box_added_p99_s=judged.added_p99_s,
            queue_drops=judged.drops,
            address=made.source,
            link_means=self.link_means,
            connect_s=seen.connect_s,
            tls_s=seen.tls_s,
            after_trigger_s=made.after_trigger_s,
            note=seen.note,
            rtt_s=seen.rtt_s,
            min_rtt_s=seen.min_rtt_s,
            retransmitted=seen.retransmitted,
            exit_address=seen.exit_address,
            time_to_tunnel_s=made.ready_s,
            tunnel_attempts=1 if target.tool in TOOLS else None,
            slowed_by=of_row(self.slowed_by, meant),
        )
