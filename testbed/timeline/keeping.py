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
from typing import Protocol

from testbed import failure
from testbed.timeline.series import Probing, Series
from testbed.tool import Host, NotUp, Serving, Tunnel, Via

#: seconds between two attempts to connect, so that a refusal at once is no storm
BETWEEN_S = 0.3


class ServerDeadError(Exception):
    """The tool's server has ended though nobody asked it to: whatever the client sees tells nothing of the policy."""


class Standing(Protocol):
    """What a tunnel is asked, in a lab or in virtual time."""

    def alive(self) -> bool: ...
    def reconnects(self) -> int: ...
    def close(self) -> None: ...


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


class Kept:
    """What one actor's tool has been through, and whether its tunnel may be used. It waits for nothing."""

    def __init__(
        self,
        tool: str,
        *,
        actor: str,
        patience_s: float,
        due: Callable[[float], float],
        series: Series,
        tell: Callable[[Tried], None],
    ) -> None:
        """`due`: the time up to which a connection made at this time may live."""
        self._tool, self._actor, self._patience_s = tool, actor, patience_s
        self._due, self._series, self._tell = due, series, tell
        self._users = 0
        self._busy = False  # somebody connects
        self._tunnel: Standing | None = None
        self._up_s = 0.0  # when it came up
        self._attempts = 0
        self._since = 0.0
        self._last = NotUp(tool, failure.TIMEOUT, 0.0, "")
        self.renewed: list[float] = []  #: when attempts to connect began
        self.reconnects = 0  #: by the tools themselves, of tunnels that are over
        self.deaths = 0  #: clients that ended by themselves

    def fits(self, now_s: float) -> bool:
        """Whether the tunnel may be used. One that others still use is not taken from them."""
        if self._tunnel is None or self._busy or not self._tunnel.alive():
            return False
        if self._users:
            return True
        heard_s = max(self._up_s, self._series.last_ok_s(self._actor))
        return now_s < self._due(self._up_s) and now_s - heard_s < self._patience_s

    def begins(self, now_s: float) -> None:
        """An attempt to connect begins."""
        if not self._attempts:
            self._since = now_s
        self._attempts += 1

    def told(self, begin_s: float, now_s: float, error: NotUp | None, exit: str = "") -> None:
        """The attempt that began then is over: tell of it."""
        self._tell(
            Tried(
                begin_s=begin_s,
                seconds=now_s - begin_s,
                failure=error.failure if error else "",
                note=str(error) if error else "",
                attempts=self._attempts,
                since_s=now_s - self._since,
                exit=exit,
            )
        )
        if error is None:
            self._attempts = 0

    def drop(self) -> None:
        """Close the tunnel that there is."""
        if self._tunnel is None:
            return
        tunnel, self._tunnel = self._tunnel, None
        self.reconnects += tunnel.reconnects()
        self.deaths += not tunnel.alive()
        tunnel.close()

    @property
    def reconnected(self) -> int:
        """How often the tool has connected anew by itself, in all."""
        return self.reconnects + (self._tunnel.reconnects() if self._tunnel else 0)


class Keeping(Kept):
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
        """`due`: see `Kept`; `prober`: see `Probing`."""
        super().__init__(tool, actor=actor, patience_s=patience_s, due=due, series=series, tell=tell)
        self._serving, self._host, self._connect_s, self._prober = serving, host, connect_s, prober
        self._changing = threading.Condition()
        self._tunnel: Tunnel | None = None
        self._probing: Probing | None = None
        self._probed: Via | None = None
        self._closed = False

    @contextmanager
    def use(self, until_s: float) -> Iterator[Via]:
        """The way through, connecting first if need be; raises `NotUp` after `until_s`, and `ServerDeadError`."""
        with self._changing:
            while not self.fits(time.time()):
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

    def _renew(self, until_s: float) -> None:
        """Close what there is and try once to connect."""
        self.renewed.append(time.time())
        self.drop()
        if not self._serving.alive():
            raise ServerDeadError(f"the server of {self._tool} has ended")
        begin_s = time.time()
        self.begins(begin_s)
        try:
            tunnel = self._serving.connect(self._host, self._connect_s)
        except NotUp as error:
            self._last = error
            self.told(begin_s, time.time(), error)
            time.sleep(max(0.0, min(BETWEEN_S, until_s - time.time())))
            return
        with self._changing:
            if self._closed:  # all was over before it was up
                tunnel.close()
                raise self._last
            self._tunnel, self._up_s = tunnel, time.time()
        self.told(begin_s, time.time(), None, tunnel.via.exit)
        via = tunnel.via
        if self._probed != via:
            self._stop_probing()
            self._probing = Probing(self._prober(via), actor=self._actor, exit=via.exit, series=self._series)
            self._probed = via

    @property
    def reconnected(self) -> int:
        with self._changing:
            return super().reconnected

    def _stop_probing(self) -> None:
        if self._probing:
            self._probing.close()
            self._probing = None

    def close(self) -> None:
        with self._changing:
            self._closed = True
            self.drop()
        self._stop_probing()
