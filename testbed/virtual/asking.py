"""What one attempt in virtual time needs, and what an application is there: a SimPy process that gives an observation.

Values only; each application is a file beside this one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from simpy.events import Event

from testbed.simulate.fetch import Dialler
from testbed.simulate.host import Host
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.tcp import Settings
from testbed.simulate.tls import Carrying
from testbed.simulate.tunnels import SimulatedTunnel
from testbed.tool import Via
from testbed.topology import Role
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
    tunnel: SimulatedTunnel | None = None  #: the VPN or proxy that it has to go through

    @property
    def via(self) -> Via | None:
        return self.tunnel.via if self.tunnel else None

    @property
    def sources(self) -> tuple[str, str]:
        """The addresses to come from, IPv4 and IPv6; "" for the host's own, also inside a tunnel."""
        if self.tunnel:
            return ("", "")
        return ("", self.source) if ":" in self.source else (self.source, "")

    @property
    def dialler(self) -> Dialler:
        """Who makes its connections."""
        return _IPv4Only(self.tunnel.inner) if self.tunnel else self.lab.host(self.subscriber)

    @property
    def resolving(self) -> Host:
        """Who looks names up: the host, its end of a VPN, or for a proxy its server's host."""
        if not self.tunnel:
            return self.lab.host(self.subscriber)
        if isinstance(self.tunnel.inner, Host):
            return self.tunnel.inner
        return self.lab.host(self.lab.topology.having(Role.RELAY)[0].name)


@dataclass(frozen=True, slots=True)
class _IPv4Only:
    """The inside of a tunnel: none of them carries IPv6, as in the lab."""

    inner: Dialler

    def connect(
        self,
        address: str,
        port: int,
        *,
        limit_s: float | None = None,
        source: str = "",
        settings: Settings | None = None,
    ) -> Generator[Event, Any, Carrying]:
        """See `Dialler`."""
        if ":" in address:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        return (yield from self.inner.connect(address, port, limit_s=limit_s, source=source, settings=settings))


Asking: TypeAlias = Generator[Event, Any, Observation]
#: makes one attempt; never raises for what a network can do
Application: TypeAlias = Callable[[Ask], Asking]


def rounded(seconds: float | None) -> float | None:
    """Seconds to the microsecond, as the lab's clients tell them."""
    return None if seconds is None else round(seconds, 6)
