"""What a VPN or proxy is asked in virtual time: what `testbed.tool` asks in a lab, but waiting is a SimPy process."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol

from simpy.events import Event

from testbed.simulate.fetch import Dialler
from testbed.simulate.host import Host
from testbed.tool import Kind, Via

if TYPE_CHECKING:
    from testbed.simulate.laboratory import SimulatedLab

#: what an observer of such a tool sees: its messages, their lengths, their order and their times; no real keys
MEANS = "by shape"


class SimulatedTunnel(Protocol):
    """A client that was connected; whether it still is, the next fetch through it tells."""

    @property
    def via(self) -> Via: ...
    @property
    def ready_s(self) -> float: ...  #: seconds from the client's start to the answer to a request through it
    @property
    def inner(self) -> Dialler: ...  #: who goes through it connects by this
    def alive(self) -> bool: ...  #: the client runs, connected or not
    def reconnects(self) -> int: ...  #: how often it has connected anew by itself
    def close(self) -> None: ...


class SimulatedServing(Protocol):
    """A tool's server; clients of several hosts may be connected at the same time."""

    @property
    def address(self) -> str: ...  #: of the server; also the exit
    def connect(self, client: Host, limit_s: float, source: str = "") -> Generator[Event, Any, SimulatedTunnel]:
        """Start a client and wait until a request through it has come out at the relay; raises `testbed.tool.NotUp`."""

    def alive(self) -> bool: ...
    def close(self) -> None: ...


class SimulatedTool(Protocol):
    """One VPN or proxy."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    def means(self) -> str: ...  #: which variant it is, for rows
    def serve(self, lab: SimulatedLab, relay: Host) -> SimulatedServing:
        """Start the server on a foreign host."""
