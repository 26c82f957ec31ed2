"""The tools of a leg in virtual time: their servers at the relay, and the subscriber's connection to one at a time; or
what changes its packets. It judges nothing; see `testbed.passage`.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from simpy.events import Event

from testbed.changers import CHANGERS
from testbed.passage import without
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.tunnels import TUNNELS, SimulatedServing, SimulatedTunnel
from testbed.tool import NotUp
from testbed.topology import Role
from testbed.workload import Observation, no_result


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualPassage:
    """A connection through a tool, or why there is none."""

    tunnel: SimulatedTunnel | None = None  #: None, without a failure: attempts go the direct way
    failed: Observation | None = None  #: what every attempt through it has seen, without a connection

    @property
    def ready_s(self) -> float | None:
        return self.tunnel.ready_s if self.tunnel else None


class VirtualPassages:
    """Opens and shuts a subscriber's connections, one at a time."""

    def __init__(self, lab: SimulatedLab, subscriber: str, limit_s: float) -> None:
        self._lab = lab
        self._host = lab.host(subscriber)
        self._limit_s = limit_s
        self._serving: dict[str, SimulatedServing] = {}
        self.passage = VirtualPassage()  #: the one that is open now

    def open(self, tool: str) -> Generator[Event, Any, None]:
        """Connect to a tool's server, started first if it does not run; or change the client's packets."""
        self._host.outgoing = CHANGERS.get(tool)
        if tool not in TUNNELS:
            return
        if tool not in self._serving:
            relays = self._lab.topology.having(Role.RELAY)
            if not relays:
                why = f"{tool}: topology '{self._lab.topology.name}' has no foreign host for a server"
                self.passage = VirtualPassage(failed=no_result(why))
                return
            self._serving[tool] = TUNNELS[tool].serve(self._lab, self._lab.host(relays[0].name))
        try:
            self.passage = VirtualPassage(tunnel=(yield from self._serving[tool].connect(self._host, self._limit_s)))
        except NotUp as error:
            self.passage = VirtualPassage(failed=without(tool, error))

    def shut(self) -> None:
        """Disconnect; the server stays."""
        self._host.outgoing = None
        if self.passage.tunnel is not None:
            self.passage.tunnel.close()
        self.passage = VirtualPassage()
