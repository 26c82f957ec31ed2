"""What all tools share: a server with its clients, and the wait until a client's traffic comes out at the relay.

It knows no tool. A client that was connected is not watched: whether it still carries traffic, the next fetch tells.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from testbed import failure
from testbed.emulate.outside import LabError
from testbed.tool import Host, NotUp, ToolError, Tunnel, Via
from testbed.tools import exits, places
from testbed.tools.daemons import Daemon, why
from testbed.tools.places import Spot

#: seconds for one question through a tunnel that may not be up yet; a lost SYN is sent again after one
_ASK_S = 2.0
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client that was started."""

    daemon: Daemon | None  #: None: the kernel does it all
    way: Callable[[], Via | None]  #: how to go through it; None while it makes no sense to try
    alive: Callable[[], bool]
    connected: str = ""  #: a pattern in its log that comes once for each connection
    words: Mapping[str, str] = field(default_factory=dict)  #: its own words for failures -> OONI's
    begin_s: float  #: when it was started; monotonic

    def log(self) -> str:
        return self.daemon.log() if self.daemon else ""


def of_daemon(
    daemon: Daemon,
    begin_s: float,
    way: Callable[[], Via | None],
    connected: str = "",
    words: Mapping[str, str] | None = None,
) -> Client:
    """A client that lives as long as its daemon."""
    alive = daemon.alive
    return Client(daemon=daemon, way=way, alive=alive, connected=connected, words=words or {}, begin_s=begin_s)


def tunnel_way(daemon: Daemon, exit: str) -> Callable[[], Via | None]:
    """The way that a tunnel's hook has told in the daemon's log."""

    def way() -> Via | None:
        found = places.way_in(daemon.log())
        return Via(interface=found[0], source=found[1], exit=exit) if found else None

    return way


class Session:
    """A connected client."""

    def __init__(self, client: Client, via: Via, ready_s: float, undo: ExitStack) -> None:
        self._client = client
        self._undo = undo
        self.via = via
        self.ready_s = ready_s

    @property
    def pids(self) -> tuple[int, ...]:
        return (self._client.daemon.pid,) if self._client.daemon else ()

    def alive(self) -> bool:
        try:
            return self._client.alive()
        except LabError:
            return False

    def reconnects(self) -> int:
        if not self._client.connected:
            return 0
        return max(0, len(re.findall(self._client.connected, self._client.log())) - 1)

    def log(self) -> str:
        return self._client.log()

    def close(self) -> None:
        with suppress(LabError):  # with the lab all of it is gone
            self._undo.close()


class Server:
    """A server that runs, and the clients that have been connected to it."""

    def __init__(
        self,
        spot: Spot,
        relay: Host,
        daemon: Daemon | None,
        start: Callable[[Host, str, ExitStack], Client],
        undo: ExitStack,
        alive: Callable[[], bool] | None = None,
    ) -> None:
        """`start`: begins to connect a client from an address of its own (""; any), and says how to undo that.

        `undo`: all that the server has made.

        `alive`: whether it still serves, if there is no daemon to see that from.
        """
        self.address = spot.address(relay)
        self._spot = spot
        self._daemon = daemon
        self._alive = alive or (daemon.alive if daemon else bool)
        self._start = start
        self._undo = undo
        self._sessions: dict[str, Session] = {}

    @property
    def pids(self) -> tuple[int, ...]:
        return (self._daemon.pid,) if self._daemon else ()

    def alive(self) -> bool:
        try:
            return self._alive()
        except LabError:
            return False

    def log(self) -> str:
        return self._daemon.log() if self._daemon else ""

    def connect(self, client: Host, limit_s: float, source: str = "") -> Tunnel:
        """See `testbed.tool.Serving`."""
        if client.name in self._sessions:
            raise ToolError(f"{client.name} is connected by {self._spot.tool} already; close that tunnel first")
        undo = ExitStack()
        try:
            started = self._start(client, source, undo)
            via = _await(self._spot.tool, client, started, limit_s)
        except BaseException:
            with suppress(LabError):
                undo.close()
            raise
        session = Session(started, via, time.monotonic() - started.begin_s, undo)
        self._sessions[client.name] = session
        undo.callback(self._sessions.pop, client.name, None)
        return session

    def close(self) -> None:
        for session in list(self._sessions.values()):
            session.close()
        with suppress(LabError):
            self._undo.close()


def _await(tool: str, host: Host, client: Client, limit_s: float) -> Via:
    """Wait until a request comes out where it should; raises NotUp."""
    last = failure.TIMEOUT
    while True:
        seconds = time.monotonic() - client.begin_s
        left = limit_s - seconds
        if not client.alive():
            said = _end(client.log())
            raise NotUp(tool, why(client.log(), client.words, failure.unknown(said)), seconds, said)
        if left <= 0:
            raise NotUp(tool, why(client.log(), client.words, last), seconds, _end(client.log()))
        via = client.way()
        if via is None:
            time.sleep(_LOOK_S)
            continue
        found = exits.ask(host, via, max(0.1, min(_ASK_S, left)))
        if found.address == via.exit:
            return via
        # a direct answer means that traffic goes past the tool, which must never count as its working
        last = failure.unknown(f"came out at {found.address}, not at {via.exit}") if found.address else failure.TIMEOUT
        time.sleep(_LOOK_S)


def _end(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][-200:] if lines else ""
