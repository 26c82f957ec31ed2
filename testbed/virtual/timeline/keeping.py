"""One actor's tool in virtual time: connected when it is wanted, connected anew when it is due or dead.

When that is, `testbed.timeline.keeping.Kept` says for the lab as well.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock, Signal
from testbed.simulate.host import Host
from testbed.simulate.tunnels import SimulatedServing, SimulatedTunnel
from testbed.timeline.keeping import BETWEEN_S, Kept, ServerDeadError, Tried
from testbed.timeline.series import Series
from testbed.tool import NotUp


class VirtualKeeping(Kept):
    """The state of one actor's tool; whoever goes through it says so with `use`, and `leave` when it is done."""

    def __init__(
        self,
        tool: str,
        serving: SimulatedServing,
        host: Host,
        clock: Clock,
        *,
        actor: str,
        connect_s: float,
        patience_s: float,
        due: Callable[[float], float],
        series: Series,
        tell: Callable[[Tried], None],
    ) -> None:
        super().__init__(tool, actor=actor, patience_s=patience_s, due=due, series=series, tell=tell)
        self._serving, self._host, self._clock, self._connect_s = serving, host, clock, connect_s
        self._tunnel: SimulatedTunnel | None = None
        self._changed = Signal(clock)
        self.was_up = Event(clock)  #: the first tunnel stands

    @property
    def tunnel(self) -> SimulatedTunnel | None:
        """The tunnel as it is; None while there is none."""
        return self._tunnel

    @property
    def _now_s(self) -> float:
        return self._clock.now_ns / SECOND_NS

    def use(self, until_s: float) -> Generator[Event, Any, SimulatedTunnel]:
        """The way through, connecting first if need be; raises `NotUp` after `until_s`, and `ServerDeadError`."""
        while not self.fits(self._now_s):
            if self._now_s >= until_s:
                raise self._last
            if self._busy or self._users:
                yield self._changed.next | self._clock.wait(max(0.01, min(0.2, until_s - self._now_s)))
                continue
            self._busy = True
            try:
                yield from self._renew(until_s)
            finally:
                self._busy = False
                self._changed.tell()
        assert self._tunnel is not None, "what fits is there"
        self._users += 1
        return self._tunnel

    def leave(self) -> None:
        """Somebody needs the way no more."""
        self._users -= 1
        self._changed.tell()

    def _renew(self, until_s: float) -> Generator[Event, Any, None]:
        """Close what there is and try once to connect."""
        self.renewed.append(self._now_s)
        self.drop()
        if not self._serving.alive():
            raise ServerDeadError(f"the server of {self._tool} has ended")
        begin_s = self._now_s
        self.begins(begin_s)
        try:
            self._tunnel = yield from self._serving.connect(self._host, self._connect_s)
        except NotUp as error:
            self._last = error
            self.told(begin_s, self._now_s, error)
            yield self._clock.wait(max(0.0, min(BETWEEN_S, until_s - self._now_s)))
            return
        self._up_s = self._now_s
        self.told(begin_s, self._now_s, None, self._tunnel.via.exit)
        if not self.was_up.triggered:
            self.was_up.succeed()
