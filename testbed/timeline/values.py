"""A scenario along a timeline as a value: phases, people and what they do, policies, and what these mean.

Nothing here runs; `run` does. Unlike in `testbed.scenario`, where attempts stand each for itself, here time passes: a
policy sleeps, wakes and sleeps again, and whoever is connected when it wakes is caught in the middle.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from enum import Enum

from testbed.result import CONTROL, Outcome
from testbed.scenario import unknown
from testbed.speed import slowed
from testbed.topology import SHIPPED, Role, Topology, shipped


class Kind(Enum):
    """Which question a timeline answers, and so how its report looks."""

    MATRIX = "matrix"  #: what does each policy do to each tool?
    SYMPTOMS = "symptoms"  #: what do people notice, on which access, with and without a tool?


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of time; the boxes are told when it begins."""

    name: str
    seconds: float
    about: str  #: what the policies do in it, for people
    ruled: bool = False  #: a policy acts in it: figures shade it


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Something that a person fetches, as the bytes that it takes: a message, a photo, a page."""

    name: str
    about: str
    host: str  #: the DNS name that it comes from
    bytes: int
    limit_s: float  #: a person gives up after this time

    def __post_init__(self) -> None:
        _one_word("transfer", self.name)
        if not 1 <= self.bytes <= 10_000_000:
            raise ValueError(f"transfer '{self.name}': {self.bytes} bytes; the lab has 1 to 10,000,000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Transfers one after another, over and over; several streams of one actor run side by side."""

    transfers: tuple[str, ...]
    pause_s: float  #: after each


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person at a subscriber's line, with a tool or without."""

    name: str
    subscriber: str  #: the host; of this actor alone
    tool: str = ""
    streams: tuple[Stream, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What a policy means in a phase for some people; "" and () are any."""

    policy: str
    phase: str
    outcome: Outcome
    by_chance: bool = False  #: only for some of those whom it means
    access: str = ""
    tools: tuple[str, ...] | None = None  #: None: with a tool or without; "" among them: without
    transfers: tuple[str, ...] = ()
    why: str = ""  #: by which fact the box knows them, for the report


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Something that a scenario expects to see, as bounds on what comes through in one situation."""

    text: str  #: in plain words
    policy: str
    phase: str
    transfers: tuple[str, ...]
    access: str = ""
    through: bool | None = None  #: with a tool, without, or either
    at_least: float | None = None  #: share that comes through
    at_most: float | None = None
    times: tuple[float, float] | None = None  #: median time, as so many times that of the control


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One question; the control comes first, then the policies in their order."""

    name: str
    question: str
    about: str
    kind: Kind
    topology: str
    phases: tuple[Phase, ...]
    policies: tuple[str, ...]
    transfers: tuple[Transfer, ...]
    actors: tuple[Actor, ...]
    meant: tuple[Meant, ...] = ()  #: the first that applies counts; what none names is meant to be left alone
    claims: tuple[Claim, ...] = ()
    limits: tuple[str, ...] = ()  #: what the scenario cannot say, each a sentence
    sites: tuple[str, ...] = ()
    attempts: int = 1  #: how often the timeline is gone through under each policy
    connect_s: float = 4.0  #: a tool that is not up by then is started anew
    patience_s: float = 3.0  #: whoever hears nothing through a tool for so long connects anew
    held_s: float | None = None  #: tools connect anew so long after a ruled phase has begun; None: never by themselves
    renew_s: float = 10.0  #: and again and again after so long
    #: policies that also meet what is open, under which tools do not connect anew as long as they live
    left_open: tuple[str, ...] = ()
    probe_s: float = 0.5  #: between two probes of one actor
    probe_limit_s: float = 2.0  #: a probe that has no answer by then has failed
    stretch: float = 1.0  #: all phases so many times longer
    slowdown: int = 1  #: all of the network, phases and patience so many times slower, for a slow machine

    def __post_init__(self) -> None:
        for what, names in (
            ("phases", [one.name for one in self.phases]),
            ("transfers", [one.name for one in self.transfers]),
            ("actors", [one.name for one in self.actors]),
            ("actors at one host", [one.subscriber for one in self.actors]),
        ):
            if not names or len(set(names)) != len(names):
                raise ValueError(f"timeline '{self.name}': no {what}, or two of the same name")
        if self.topology not in SHIPPED:
            raise ValueError(unknown("topology", self.topology, SHIPPED))
        known = [one.name for one in self.transfers]
        there = shipped(self.topology)
        for actor in self.actors:
            if there.node(actor.subscriber).role is not Role.SUBSCRIBER:
                raise ValueError(f"actor '{actor.name}': '{actor.subscriber}' is no subscriber")
            for name in (name for stream in actor.streams for name in stream.transfers):
                if name not in known:
                    raise ValueError(f"actor '{actor.name}': {unknown('transfer', name, known)}")
        for what, value, low, high in (
            ("attempts", self.attempts, 1, 1000),
            ("connect", self.connect_s, 0.1, 600),
            ("patience", self.patience_s, 0.5, 600),
            ("probe", self.probe_s, 0.1, 60),
            ("held", self.held_s or 0.0, 0, 3600),
            ("renew", self.renew_s, 1, 3600),
            ("stretch", self.stretch, 0.05, 1000),
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
        """Every tool that somebody uses, in the order of the actors."""
        return tuple(dict.fromkeys(actor.tool for actor in self.actors if actor.tool))

    @property
    def seconds(self) -> float:
        """How long one leg is."""
        return sum(phase.seconds for phase in self.phases) * self.stretch * self.slowdown

    def renews(self, policy: str) -> bool:
        """Whether tools connect anew in ruled phases; in the control they do not."""
        return self.held_s is not None and policy != CONTROL and policy not in self.left_open

    def transfer(self, name: str) -> Transfer:
        return next(one for one in self.transfers if one.name == name)

    def means(self, policy: str, phase: str, *, access: str, tool: str, transfer: str) -> Meant | None:
        """What the policy means for this; None: to leave it alone."""
        if policy == CONTROL:
            return None
        for one in self.meant:
            if (
                one.policy == policy
                and one.phase == phase
                and one.access in ("", access)
                and (one.tools is None or tool in one.tools)
                and (not one.transfers or transfer in one.transfers)
            ):
                return None if one.outcome is Outcome.OK else one
        return None


def with_tools(timeline: Timeline, wanted: list[str]) -> Timeline:
    """The timeline with the actors of these tools alone, and those without a tool."""
    for name in wanted:
        if name not in timeline.tools:
            raise ValueError(unknown("tool", name, list(timeline.tools)))
    kept = tuple(actor for actor in timeline.actors if not actor.tool or actor.tool in wanted)
    return dataclasses.replace(timeline, actors=kept)


def _one_word(what: str, name: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ValueError(f"{what} '{name}': a name is made of small letters, digits and hyphens")
