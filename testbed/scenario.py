"""A scenario as a value: one question, whom it asks, what it expects, and what of it can be set from outside.

Nothing here runs; `run` does. The scenarios themselves are files of the package `scenarios`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any

from testbed.changers import CHANGERS
from testbed.speed import slowed
from testbed.tools import TOOLS
from testbed.topology import SHIPPED, Role, Topology, shipped
from testbed.workload import Target
from testbed.workloads import WORKLOADS


@dataclass(frozen=True, slots=True)
class Residual:
    """Residual censorship is asked for by `trigger` and then, from the same client address, by `probe`."""

    trigger: str  #: name of a target that the policies block
    probe: str  #: name of a target at the same server that they do not


class Kind(Enum):
    """What a scenario asks, which says how its rows are read and what its report shows."""

    ACCESS = "access"  #: who gets through
    THROUGHPUT = "throughput"  #: how fast, compared with the control


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One question; the order of policies is the order in which they are measured, after the control."""

    name: str
    question: str  #: one sentence, with a question mark
    about: str  #: what is done, for the report
    policies: tuple[str, ...]
    targets: tuple[Target, ...]
    kind: Kind = Kind.ACCESS
    sites: tuple[str, ...] = ()  #: beyond the lab's own
    topology: str = "national"
    subscriber: str = "client"
    attempts: int = 10  #: of each target, for each policy
    limit_s: float = 3.0  #: after which a client gives up
    parallel: int = 8  #: attempts under way at a time
    slowdown: int = 1  #: all of the network and the clients' patience so many times slower, for a slow machine
    residual: Residual | None = None
    residual_wait_s: float = 60.0  #: the longest wait between trigger and probe; 0: not measured
    #: (policy, target) -> why a target that this policy, of the scenario or not, means to block gets through
    gets_through: Mapping[tuple[str, str], str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [target.name for target in self.targets]
        if len(set(names)) != len(names):
            raise ValueError(f"scenario '{self.name}': two targets have the same name")
        for target in self.targets:
            if target.workload not in WORKLOADS:
                raise ValueError(f"target '{target.name}': {unknown('workload', target.workload, WORKLOADS)}")
            if target.tool and target.tool not in TOOLS and target.tool not in CHANGERS:
                raise ValueError(f"target '{target.name}': {unknown('tool', target.tool, [*TOOLS, *CHANGERS])}")
            if target.seconds >= self.limit_s:
                raise ValueError(
                    f"target '{target.name}' is watched for {target.seconds:g} s, but a client gives up after "
                    f"{self.limit_s:g} s (limit)"
                )
        if self.topology not in SHIPPED:
            raise ValueError(unknown("topology", self.topology, SHIPPED))
        if shipped(self.topology).node(self.subscriber).role is not Role.SUBSCRIBER:
            raise ValueError(f"'{self.subscriber}' is no subscriber: it has no addresses to send from")
        if self.residual:
            for name in (self.residual.trigger, self.residual.probe):
                if name not in names:
                    raise ValueError(f"residual: {unknown('target', name, names)}")
        for what, value, low, high in (
            ("attempts", self.attempts, 1, 1_000_000),
            ("limit", self.limit_s, 0.1, 3600),
            ("parallel", self.parallel, 1, 64),
            ("residual_wait", self.residual_wait_s, 0, 86_400),
            ("slowdown", self.slowdown, 1, 20),
        ):
            if not low <= value <= high:
                raise ValueError(f"{what} is {value:g}; expected a number from {low:g} to {high:g}")

    @property
    def network(self) -> Topology:
        """The network as it is built."""
        return slowed(shipped(self.topology), self.slowdown)

    @property
    def tools(self) -> tuple[str, ...]:
        """The VPNs, proxies and changers of packets that its targets use."""
        return tuple(dict.fromkeys(target.tool for target in self.targets if target.tool))

    @property
    def patience_s(self) -> float:
        """After which a client gives up, in the network as it is built."""
        return self.limit_s * self.slowdown

    def target(self, name: str) -> Target:
        return next(target for target in self.targets if target.name == name)


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that `--set KEY=VALUE` changes."""

    field: str
    read: Callable[[str], Any]
    kind: str  #: for messages
    about: str


SETTINGS: dict[str, Setting] = {
    "limit": Setting("limit_s", float, "a number of seconds", "a client gives up after this many seconds"),
    "parallel": Setting("parallel", int, "a whole number", "attempts under way at a time"),
    "residual_wait": Setting(
        "residual_wait_s", float, "a number of seconds", "longest wait for residual censorship to end; 0: do not ask"
    ),
    "slowdown": Setting(
        "slowdown",
        int,
        "a whole number",
        "the network so many times slower (1: as it is; without it, as this machine needs)",
    ),
    "subscriber": Setting("subscriber", str, "a host", "the host that asks"),
    "topology": Setting("topology", str, "a topology's name", "the network"),
}


def change(scenario: Scenario, words: list[str]) -> Scenario:
    """The scenario with each "KEY=VALUE" carried out; raises `ValueError` for what cannot be."""
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"'--set {word}': expected KEY=VALUE, such as --set limit=5")
        if key not in SETTINGS:
            raise ValueError(f"'--set {word}': {unknown('setting', key, SETTINGS)}")
        setting = SETTINGS[key]
        try:
            value = setting.read(text)
        except ValueError:
            raise ValueError(f"'--set {word}': '{text}' is not {setting.kind}") from None
        scenario = dataclasses.replace(scenario, **{setting.field: value})
    return scenario


def find(name: str) -> Scenario:
    """A scenario by its name; raises `ValueError` with what there is."""
    # by name, because scenarios import this package and not the other way round
    known: Mapping[str, str] = importlib.import_module("scenarios").SCENARIOS
    wanted = name.replace("_", "-")
    if wanted not in known:
        raise ValueError(unknown("scenario", name, known))
    found: Scenario = importlib.import_module(known[wanted]).SCENARIO
    return found


def unknown(what: str, name: str, known: Mapping[str, object] | list[str]) -> str:
    """The message for a name that is not there: what was found, what is there, the nearest."""
    near = get_close_matches(name, list(known), 1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"no {what} '{name}'{hint} (there are: {', '.join(known)})"
