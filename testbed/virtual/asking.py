"""What one attempt in virtual time needs, and what an application is there: a SimPy process that gives an observation.

Values only; each application is a file beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from simpy.events import Event

from testbed.simulate.laboratory import SimulatedLab
from testbed.workload import Observation, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One attempt."""

    lab: SimulatedLab
    subscriber: str  #: the host that asks
    target: Target
    limit_s: float  #: the client gives up after this time
    source: str  #: the client's own address
    truth: Mapping[str, Sequence[str]]  #: DNS name -> the addresses that it really has

    via: None = None  #: no VPN and no proxy

    @property
    def sources(self) -> tuple[str, str]:
        """The addresses to come from, IPv4 and IPv6; "" for the host's own."""
        return ("", self.source) if ":" in self.source else (self.source, "")


Asking: TypeAlias = Generator[Event, Any, Observation]
#: makes one attempt; never raises for what a network can do
Application: TypeAlias = Callable[[Ask], Asking]


def rounded(seconds: float | None) -> float | None:
    """Seconds to the microsecond, as the lab's clients tell them."""
    return None if seconds is None else round(seconds, 6)
