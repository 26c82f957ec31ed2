"""The tools of a leg: their servers abroad, and the subscriber's connection to one of them at a time; or what changes
its packets.

It judges nothing: a tool that does not connect is what an attempt through it has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from testbed.changers import CHANGERS
from testbed.changing import Changing
from testbed.result import Outcome
from testbed.tool import Host, NotUp, Serving, ToolError, Tunnel, Via
from testbed.tools import TOOLS
from testbed.topology import Role, Topology
from testbed.workload import Observation, no_result


class Hosts(Protocol):
    """A lab, as far as tools need one."""

    def host(self, name: str) -> Host: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A connection through a tool, or why there is none."""

    via: Via | None = None  #: None, without a failure: attempts go the direct way
    ready_s: float | None = None  #: from the client's start to the first answer through it
    failed: Observation | None = None  #: what every attempt through it has seen, without a connection


def without(tool: str, error: NotUp) -> Observation:
    """What an attempt through a tool has seen that did not connect."""
    return Observation(
        outcome=Outcome.BLOCKED, failure=error.failure, seconds=error.seconds, note=f"{tool}: {error}"[:300]
    )


class Passages:
    """Opens and shuts a subscriber's connections. Not safe for threads, but for `passage`."""

    def __init__(self, lab: Hosts, subscriber: str, topology: Topology, limit_s: float) -> None:
        self._host: Callable[[str], Host] = lab.host
        self._subscriber = subscriber
        self._topology = topology
        self._limit_s = limit_s
        self._serving: dict[str, Serving] = {}
        self._tunnels: dict[str, Tunnel] = {}
        self._changing: dict[str, Changing] = {}
        self._passages: dict[str, Passage] = {}
        self._undo = ExitStack()

    def __enter__(self) -> Passages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._undo.close()

    def open(self, tool: str) -> Passage:
        """Connect to the tool's server, started first if it does not run; or change the client's packets."""
        try:
            if tool in CHANGERS:
                self._changing[tool] = Changing(self._host(self._subscriber), tool)
                self._passages[tool] = Passage()
                return self._passages[tool]
            if tool not in self._serving:
                relays = self._topology.having(Role.RELAY)
                if not relays:
                    raise ToolError(f"topology '{self._topology.name}' has no foreign host for a server")
                serving = TOOLS[tool].serve(self._host(relays[0].name))
                self._undo.callback(serving.close)
                self._serving[tool] = serving
            tunnel = self._serving[tool].connect(self._host(self._subscriber), self._limit_s)
        except NotUp as error:
            self._passages[tool] = Passage(failed=without(tool, error))
        except ToolError as error:
            self._passages[tool] = Passage(failed=no_result(f"{tool}: {error}"))
        else:
            self._tunnels[tool] = tunnel
            self._passages[tool] = Passage(via=tunnel.via, ready_s=tunnel.ready_s)
        return self._passages[tool]

    def shut(self, tool: str) -> None:
        """Disconnect; the server stays."""
        self._passages.pop(tool, None)
        changing = self._changing.pop(tool, None)
        if changing is not None:
            changing.close()
        tunnel = self._tunnels.pop(tool, None)
        if tunnel is not None:
            tunnel.close()

    def passage(self, tool: str) -> Passage:
        """The connection that is open now."""
        return self._passages.get(tool) or Passage(failed=no_result(f"{tool} is not connected"))
