"""What an attempt is made of: a target, a lab host that asks, and what it saw.

Values and protocols only; each application is a file in `workloads/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from testbed.failure import is_failure
from testbed.result import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked for, and why it is in the scenario."""

    name: str  #: one word for tables: "browser-blocked"
    about: str  #: for the report: "the blocked name, asked for by a browser"
    host: str  #: the DNS name
    workload: str
    listed: bool  #: whether a censor that blocks `blocked.example` and all below it means this one
    family: int = 4  #: 4, 6

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise ValueError(f"target '{self.name}': a name is made of small letters, digits and hyphens")
        if self.family not in (4, 6):
            raise ValueError(f"target '{self.name}': family {self.family}; expected 4 or 6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the client saw of one attempt; the same words and units as in `Row`."""

    outcome: Outcome
    failure: str = ""
    seconds: float | None = None
    time_to_first_byte: float | None = None
    goodput: float | None = None
    bytes: int | None = None
    connect_s: float | None = None
    tls_s: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not is_failure(self.failure):
            raise ValueError(f"'{self.failure}' is none of OONI's failure strings (see testbed.failure)")


class Done(Protocol):
    """A command that ended on a lab host."""

    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> str: ...
    @property
    def stderr(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def timed_out(self) -> bool: ...


class Host(Protocol):
    """A lab host that can run a command."""

    def run(
        self, argv: Sequence[str], *, timeout: float | None = None, env: Mapping[str, str] | None = None
    ) -> Done: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """All that one attempt needs."""

    host: Host
    target: Target
    limit_s: float  #: the client gives up after this time
    source: str = ""  #: the client's own address; "": the system chooses
    truth: Mapping[str, Sequence[str]]  #: DNS name -> the addresses that the lab's servers really have

    def address(self) -> str:
        """The true address of the target in its family; raises `ValueError` if it has none."""
        for one in self.truth.get(self.target.host, ()):
            if (":" in one) == (self.target.family == 6):
                return one
        raise ValueError(f"'{self.target.host}' has no IPv{self.target.family} address in this lab")


class Workload(Protocol):
    """One application; `measure` runs it once and never raises for what a network can do."""

    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def protocol(self) -> str: ...  #: "https", "dns": in the words of `middlebox.intent`
    @property
    def says_name(self) -> bool: ...  #: whether the target's name is there for a censor to read
    @property
    def heavy(self) -> bool: ...  #: takes so much of a core to start that its attempts start one after another
    def measure(self, ask: Ask) -> Observation: ...


def no_result(note: str) -> Observation:
    """The attempt could not be made, for a reason that is the lab's and not the network's."""
    return Observation(outcome=Outcome.NO_RESULT, note=" ".join(note.split())[:300])
