"""The probes of one actor in virtual time: a web server is asked again and again where one comes from.

As `testbed.timeline.prober` asks in a lab: each probe is a connection of its own, with a second question over it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from simpy.events import Event

from testbed.simulate import http
from testbed.simulate.clock import SECOND_NS, Clock
from testbed.simulate.fetch import Dialler, where
from testbed.simulate.web import HTTP
from testbed.timeline.series import Probe, Series


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualProber:
    """Who probes, and where."""

    clock: Clock
    series: Series
    actor: str
    address: str  #: of the server
    name: str  #: that it is asked for
    every_s: float
    limit_s: float
    through: Callable[[], Dialler | None]  #: the way that there is now; None: there is none
    exit: Callable[[], str]  #: where the answer should say that one comes from; "" for anywhere

    def run(self) -> Generator[Event, Any, None]:
        """Probe for as long as time passes."""
        while True:
            self.clock.process(self._probe())
            yield self.clock.wait(self.every_s)

    def _probe(self) -> Generator[Event, Any, None]:
        begin_s = self._now_s
        came_from, seconds, rtt, why = "", None, None, ""
        dialler, exit, left_s = self.through(), self.exit(), partial(self._left_s, begin_s)
        try:
            if dialler is None:
                yield self.clock.wait(self.limit_s)
                raise TimeoutError
            connection = yield from dialler.connect(self.address, HTTP, limit_s=self.limit_s)
            try:
                reader = http.Reader(connection)
                came_from = yield from where(connection, reader, self.name, left_s)
                seconds = round(self._now_s - begin_s, 5)
                again_s = self._now_s
                yield from where(connection, reader, self.name, left_s)
                rtt = round(self._now_s - again_s, 5)
            finally:
                connection.close()
        except TimeoutError:
            why = "timeout"
        except EOFError:
            why = "ECONNRESET"
        except (OSError, http.HttpError) as error:
            number = error.errno if isinstance(error, OSError) else None
            why = errno.errorcode.get(number or 0, str(error) or type(error).__name__)
        past = not why and exit != "" and came_from != exit
        self.series.add(
            Probe(
                actor=self.actor,
                t=round(begin_s, 4),
                ended=round(self._now_s, 4),
                ok=not why and not past,
                seconds=seconds,
                rtt=None if past else rtt,
                exit=came_from,
                why="came from another address" if past else why,
            )
        )

    def _left_s(self, begin_s: float) -> float:
        left_s = begin_s + self.limit_s - self._now_s
        if left_s <= 0:
            raise TimeoutError
        return left_s

    @property
    def _now_s(self) -> float:
        return self.clock.now_ns / SECOND_NS
