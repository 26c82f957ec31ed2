"""An actor at work in virtual time: its streams of transfers, each a process, each transfer a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock
from testbed.simulate.fetch import Browser
from testbed.timeline.acting import Done, later, no_way
from testbed.timeline.clock import Course
from testbed.timeline.fetch import Fetched
from testbed.timeline.keeping import ServerDeadError
from testbed.timeline.values import Actor, Stream, Transfer
from testbed.tool import NotUp
from testbed.virtual.timeline.fetch import fetch
from testbed.virtual.timeline.keeping import VirtualKeeping
from testbed.workload import no_result


@dataclass(slots=True, kw_only=True)
class VirtualActing:
    """The streams of one actor."""

    actor: Actor
    transfers: Mapping[str, Transfer]
    truth: Mapping[str, str]  #: name -> the true address
    browser: Browser
    clock: Clock
    course: Course
    factor: float  #: by which patience and pauses are longer than meant
    fresh: Callable[[], str]  #: an address of its own for a direct transfer
    tell: Callable[[Done], None]
    keeping: VirtualKeeping | None = None
    _counts: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        for stream in self.actor.streams:
            self.clock.process(self._run(stream))

    def _run(self, stream: Stream) -> Generator[Event, Any, None]:
        while True:
            for name in stream.transfers:
                yield from self._once(self.transfers[name])
                yield self.clock.wait(stream.pause_s * self.factor)

    def _once(self, transfer: Transfer) -> Generator[Event, Any, None]:
        phase, begin_s = self.course.phase, self._now_s
        limit_s = transfer.limit_s * self.factor
        source, dead = "", ""
        if self.keeping is None:
            source = self.fresh()
            address = self.truth[transfer.host]
            got = yield from fetch(self.browser, transfer, address=address, limit_s=limit_s, source=source)
        else:
            try:
                got = yield from self._through(self.keeping, transfer, begin_s, limit_s)
            except ServerDeadError as error:
                got, dead = Fetched(seen=no_result(str(error))), str(error)
                yield self.clock.wait(limit_s)  # it will be dead the next time too
        self._counts[transfer.name] += 1
        self.tell(
            Done(
                actor=self.actor,
                transfer=transfer,
                phase=phase,
                number=self._counts[transfer.name],
                begin_s=begin_s,
                seen=got.seen,
                exit=got.exit,
                source=source,
                dead=dead,
            )
        )

    def _through(
        self, keeping: VirtualKeeping, transfer: Transfer, begin_s: float, limit_s: float
    ) -> Generator[Event, Any, Fetched]:
        """The transfer through the tool; the wait until it is up is part of what a person waits."""
        try:
            tunnel = yield from keeping.use(begin_s + limit_s)
        except NotUp as error:
            return no_way(error, self._now_s - begin_s)
        waited_s = self._now_s - begin_s
        try:
            address = self.truth[transfer.host]
            got = yield from fetch(self.browser, transfer, address=address, limit_s=limit_s, tunnel=tunnel)
        finally:
            keeping.leave()
        return later(got, waited_s)

    @property
    def _now_s(self) -> float:
        return self.clock.now_ns / SECOND_NS
