"""Two ends of a connection with a line between them that tests may damage as they like."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import pairwise
from random import Random
from typing import Any

from simpy.events import Event

from testbed.simulate.clock import Clock
from testbed.simulate.tcp import Connection, Segment, Settings
from testbed.simulate.tcp.recovery import State
from testbed.simulate.tcp.sender import Sender

MS = 1_000_000
#: what becomes of a segment: in how many milliseconds each copy arrives
Fate = Callable[[Segment], list[float]]


class Pair:
    """A client and a server, 10 ms apart; `there` and `back` say what becomes of each segment.

    After each segment both senders are checked for what must always hold.
    """

    def __init__(
        self, *, client: Settings | None = None, server: Settings | None = None, delay_ms: float = 10.0, seed: int = 1
    ) -> None:
        self.clock = Clock()
        self.said: list[tuple[str, Segment]] = []
        self.there: Fate = lambda segment: [delay_ms]
        self.back: Fate = lambda segment: [delay_ms]
        random = Random(seed)
        ends = ("10.0.0.1", 40_000), ("203.0.113.1", 443)
        self.client = Connection(self.clock, client or Settings(), ends[0], ends[1], random, self._from_client)
        self.server = Connection(self.clock, server or Settings(), ends[1], ends[0], random, self._from_server)
        self.answered = False

    def _from_client(self, _: Connection, segment: Segment) -> None:
        self.said.append(("client", segment))
        for late in self.there(segment):
            self.clock.after(round(late * MS), self._to_server, segment)

    def _from_server(self, _: Connection, segment: Segment) -> None:
        self.said.append(("server", segment))
        for late in self.back(segment):
            self.clock.after(round(late * MS), self._to_client, segment)

    def _to_server(self, event: Event) -> None:
        segment: Segment = event._value
        if not self.answered:
            self.answered = True
            self.server.opening.answer(segment)
        elif self.server.phase.value != "closed":
            self.server.handle(segment)
            check(self.server.machine.sender)

    def _to_client(self, event: Event) -> None:
        if self.client.phase.value != "closed":
            self.client.handle(event._value)
            check(self.client.machine.sender)

    def open(self) -> Pair:
        self.client.opening.ask()
        self.clock.run_for(0.3)
        return self

    def sent_by(self, name: str) -> list[Segment]:
        return [segment for who, segment in self.said if who == name]

    def do(self, *processes: Generator[Event, Any, Any], seconds: float = 600.0) -> list[Any]:
        """Run processes to their ends; what they gave back."""
        started = [self.clock.process(process) for process in processes]
        self.clock.run(until=self.clock.now_ns + round(seconds * 1_000 * MS))
        assert all(not process.is_alive for process in started), "a process did not end"
        return [process.value for process in started]


def everything(connection: Connection) -> Generator[Event, Any, bytes]:
    """Receive until the other end has said all."""
    got = b""
    while data := (yield from connection.receive()):
        got += data
    return got


def said(connection: Connection, data: bytes) -> Generator[Event, Any, None]:
    """Say this and no more."""
    yield from connection.send(data)
    connection.shutdown()


def check(sender: Sender) -> None:
    """What must hold for a sender at every moment."""
    scores = sender.scores
    flying = [sent for sent in scores.queue if sent in scores.in_flight]
    assert len(flying) == len(scores.in_flight)
    for sent in scores.queue:
        assert not (sent.sacked and (sent.lost or sent in scores.in_flight))
        assert sent.sacked or sent.lost or sent in scores.in_flight
        assert not (sent.lost and sent in scores.in_flight)
    assert scores.sacked == sum(sent.sacked for sent in scores.queue)
    numbers = [(sent.seq, sent.end) for sent in scores.queue]
    assert all(one[1] == two[0] for one, two in pairwise(numbers))
    if numbers:
        assert numbers[0][0] == sender.una
        assert numbers[-1][1] == sender.next_number
        assert sender.timing.armed, "data is outstanding and no timer is set"
    if scores.first_lost() is not None:
        assert sender.recovery.state in (State.RECOVERY, State.LOSS)
    assert sender.window.packets >= 1
