"""An actor at work: its streams of transfers, each in a thread, each transfer a row.

It tells what a person would notice. Which phase it is the clock says, what of it can be trusted the leg.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from testbed.emulate.outside import LabError
from testbed.result import Outcome
from testbed.timeline.clock import Clock
from testbed.timeline.fetch import Fetched, fetch
from testbed.timeline.keeping import Keeping, ServerDeadError
from testbed.timeline.values import Actor, Stream, Transfer
from testbed.tool import NotUp, ToolError
from testbed.workload import Host, Observation, no_result

#: seconds that nobody calls a wait
_NO_WAIT_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One transfer that is over."""

    actor: Actor
    transfer: Transfer
    phase: str  #: in which it began
    number: int  #: from 1, for each transfer of the actor
    begin_s: float
    seen: Observation
    exit: str = ""
    source: str = ""
    dead: str = ""  #: what of the lab had died, if it makes the transfer worthless


@dataclass(slots=True, kw_only=True)
class Acting:
    """The streams of one actor; `tell` is called from several threads."""

    actor: Actor
    transfers: dict[str, Transfer]
    truth: Mapping[str, str]  #: name -> the true address
    host: Host
    clock: Clock
    factor: float  #: by which patience and pauses are longer than meant
    fresh: Callable[[], str]  #: an address of its own for a direct transfer
    tell: Callable[[Done], None]
    keeping: Keeping | None = None
    errors: list[BaseException] = field(default_factory=list)  #: of its threads
    _counts: Counter[str] = field(default_factory=Counter)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        for number, stream in enumerate(self.actor.streams, 1):
            name = f"{self.actor.name} {number}"
            thread = threading.Thread(target=self._run, args=(stream,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def join(self, timeout_s: float) -> None:
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self, stream: Stream) -> None:
        try:
            while not self.clock.over():
                for name in stream.transfers:
                    if self.clock.over():
                        return
                    self._once(self.transfers[name])
                    if self.clock.rest(stream.pause_s * self.factor):
                        return
        except BaseException as error:  # a thread's error would be lost: the leg raises it
            if not self.clock.over():  # afterwards everything is taken down, also below those who still use it
                self.errors.append(error)
                self.clock.stop()

    def _once(self, transfer: Transfer) -> None:
        phase, begin_s = self.clock.phase, time.time()
        limit_s = transfer.limit_s * self.factor
        source, dead, exit = "", "", ""
        try:
            if self.keeping is None:
                source = self.fresh()
                got = fetch(self.host, transfer, address=self.truth[transfer.host], limit_s=limit_s, source=source)
            else:
                got = self._through(self.keeping, transfer, begin_s, limit_s)
            seen, exit = got.seen, got.exit
        except ServerDeadError as error:
            seen, dead = no_result(str(error)), str(error)
        except (OSError, LabError, ToolError) as error:  # the lab has ended, or the machine cannot do it
            seen, dead = no_result(str(error)), str(error) or "the lab has ended"
            self.clock.rest(0.2)  # whatever it is, it will be there the next time too
        if self.clock.over() and seen.outcome is not Outcome.OK:
            return  # cut off by the end of the leg
        with self._lock:
            self._counts[transfer.name] += 1
            number = self._counts[transfer.name]
        self.tell(
            Done(
                actor=self.actor,
                transfer=transfer,
                phase=phase,
                number=number,
                begin_s=begin_s,
                seen=seen,
                exit=exit,
                source=source,
                dead=dead,
            )
        )

    def _through(self, keeping: Keeping, transfer: Transfer, begin_s: float, limit_s: float) -> Fetched:
        """The transfer through the tool; the wait until it is up is part of what a person waits."""
        try:
            with keeping.use(begin_s + limit_s) as via:
                waited_s = time.time() - begin_s
                # somebody who connects has the patience for one whole transfer after it
                address = self.truth[transfer.host]
                got = fetch(self.host, transfer, address=address, limit_s=limit_s, via=via)
        except NotUp as error:
            return no_way(error, time.time() - begin_s)
        return later(got, waited_s)


def no_way(error: NotUp, seconds: float) -> Fetched:
    """What somebody saw whose tool did not come up while he waited."""
    note = f"no way through: {error}"[:200]
    return Fetched(seen=Observation(outcome=Outcome.BLOCKED, failure=error.failure, seconds=seconds, note=note))


def later(got: Fetched, waited_s: float) -> Fetched:
    """The same for somebody who had to wait for the tool first; goodput stays that of the transfer."""
    seen = got.seen
    if waited_s < _NO_WAIT_S or seen.outcome is Outcome.NO_RESULT:
        return got
    note = f"{waited_s:.1f} s of waiting for the tool before it; {seen.note}".rstrip("; ")
    first = seen.time_to_first_byte
    seen = dataclasses.replace(
        seen,
        seconds=None if seen.seconds is None else seen.seconds + waited_s,
        time_to_first_byte=None if first is None else first + waited_s,
        note=note[:200],
    )
    return Fetched(seen=seen, exit=got.exit)
