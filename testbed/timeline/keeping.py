"""One actor's tool: connected when it is wanted, connected anew when it is due or dead, and every attempt told.

Whoever wants to go through it asks with `use`; nothing happens in between, as with a person who looks at a telephone
only to do something. The server is somebody else's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testbed import failure
from testbed.timeline.series import Probing, Series
from testbed.tool import Host, NotUp, Serving, Tunnel, Via

#: seconds between two attempts to connect, so that a refusal at once is no storm
BETWEEN_S = 0.3


class ServerDeadError(Exception):
    """The tool's server has ended though nobody asked it to: whatever the client sees tells nothing of the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One attempt to connect."""

    begin_s: float  #: since 1970-01-01 UTC
    seconds: float
    failure: str  #: OONI's string; "" if it is up
    note: str
    attempts: int  #: this one included, since the tool was last up
    since_s: float  #: from the first of these attempts
    exit: str = ""


class Keeping:
    """The state of one actor's tool. Safe for the threads of its streams."""

    def __init__(
        self,
        tool: str,
        serving: Serving,
        host: Host,
        *,
        actor: str,
        connect_s: float,
        patience_s: float,
        due: Callable[[float], float],
        series: Series,
        prober: Callable[[Via], Callable[[int], object]],
        tell: Callable[[Tried], None],
    ) -> None:
        """`due`: the time up to which a connection made at this time may live; `prober`: see `Probing`."""
        self._tool, self._serving, self._host, self._actor = tool, serving, host, actor
        self._connect_s, self._patience_s, self._due = connect_s, patience_s, due
        self._series, self._prober, self._tell = series, prober, tell
        self._changing = threading.Condition()
        self._users = 0
        self._busy = False  # somebody connects
        self._tunnel: Tunnel | None = None
        self._up_s = 0.0  # when it came up
        self._probing: Probing | None = None
        self._probed: Via | None = None
        self._attempts = 0
        self._since = 0.0
        self._last = NotUp(tool, failure.TIMEOUT, 0.0, "")
        self._closed = False
        self.renewed: list[float] = []  #: when attempts to connect began
        self.reconnects = 0  #: by the tools themselves, of tunnels that are over
        self.deaths = 0  #: clients that ended by themselves

    @contextmanager
    def use(self, until_s: float) -> Iterator[Via]:
        """The way through, connecting first if need be; raises `NotUp` after `until_s`, and `ServerDeadError`."""
        with self._changing:
            while not self._fit():
                if time.time() >= until_s or self._closed:
                    raise self._last
                if self._busy or self._users:
                    self._changing.wait(max(0.01, min(0.2, until_s - time.time())))
                    continue
                self._busy = True
                self._changing.release()
                try:
                    self._renew(until_s)
                finally:
                    self._changing.acquire()
                    self._busy = False
                    self._changing.notify_all()
            assert self._tunnel is not None
            via = self._tunnel.via
            self._users += 1
        try:
            yield via
        finally:
            with self._changing:
                self._users -= 1
                self._changing.notify_all()

    def _fit(self) -> bool:
        """Whether the tunnel may be used. One that others still use is not taken from them."""
        if self._tunnel is None or self._busy:
            return False
        now_s = time.time()
        if not self._tunnel.alive():
            return False
        if self._users:
            return True
        heard_s = max(self._up_s, self._series.last_ok_s(self._actor))
        return now_s < self._due(self._up_s) and now_s - heard_s < self._patience_s

    def _renew(self, until_s: float) -> None:
        """Close what there is and try once to connect."""
        self.renewed.append(time.time())
        self._drop()
        if not self._serving.alive():
            raise ServerDeadError(f"the server of {self._tool} has ended")
        if not self._attempts:
            self._since = time.time()
        self._attempts += 1
        begin_s = time.time()
        try:
            tunnel = self._serving.connect(self._host, self._connect_s)
        except NotUp as error:
            self._last = error
            self._told(begin_s, error.failure, str(error))
            time.sleep(max(0.0, min(BETWEEN_S, until_s - time.time())))
            return
        with self._changing:
            if self._closed:  # all was over before it was up
                tunnel.close()
                raise self._last
            self._tunnel, self._up_s = tunnel, time.time()
        self._told(begin_s, "", "", tunnel.via.exit)
        self._attempts = 0
        via = tunnel.via
        if self._probed != via:
            self._stop_probing()
            self._probing = Probing(self._prober(via), actor=self._actor, exit=via.exit, series=self._series)
            self._probed = via

    def _told(self, begin_s: float, why: str, note: str, exit: str = "") -> None:
        now_s = time.time()
        self._tell(
            Tried(
                begin_s=begin_s,
                seconds=now_s - begin_s,
                failure=why,
                note=note,
                attempts=self._attempts,
                since_s=now_s - self._since,
                exit=exit,
            )
        )

    @property
    def reconnected(self) -> int:
        """How often the tool has connected anew by itself, in all."""
        with self._changing:
            return self.reconnects + (self._tunnel.reconnects() if self._tunnel else 0)

    def _drop(self) -> None:
        if self._tunnel is None:
            return
        tunnel, self._tunnel = self._tunnel, None
        self.reconnects += tunnel.reconnects()
        self.deaths += not tunnel.alive()
        tunnel.close()

    def _stop_probing(self) -> None:
        if self._probing:
            self._probing.close()
            self._probing = None

    def close(self) -> None:
        with self._changing:
            self._closed = True
            self._drop()
        self._stop_probing()
