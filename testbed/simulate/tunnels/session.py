"""One client's tunnel, both ends of it: its handshake said again until it is answered, its packets, its silences.

Both ends are one object, as they share their keys; they hear of each other by the network alone. The client's side is a
SimPy process that begins, carries, notices a dead peer and begins anew, for as long as it is not closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from random import Random
from typing import Any

from simpy.events import Event

from testbed import failure
from testbed.simulate.clock import SECOND_NS, Clock, Signal
from testbed.simulate.fetch import named
from testbed.simulate.tunnels.carriers import Carrier, Hear, Listener
from testbed.simulate.tunnels.exits import Exits
from testbed.simulate.tunnels.inside import Inside
from testbed.simulate.tunnels.shape import DOWN, UP, Conversation, Shape

#: packets from inside that wait for keys
_MOST_WAITING = 128
#: seconds between two looks at how long it has been silent
_LOOK_S = 0.5
_NEVER_NS = -(1 << 62)

#: makes the client's half of what carries a session's messages
MakeCarrier = Callable[["Session"], Carrier]


class Session:
    """The tunnel of one client."""

    def __init__(
        self,
        shape: Shape,
        clock: Clock,
        random: Random,
        *,
        client: int,
        inside: Inside,
        exits: Exits,
        exit: bytes,
        listener: Listener,
        carrier: MakeCarrier,
        prelude: Callable[[], Generator[Event, Any, None]] | None = None,
    ) -> None:
        """`client`: its number; `exit`: the relay's address that servers see, 4 bytes; `prelude`: what comes first."""
        self._shape, self._clock, self._random, self._number = shape, clock, random, client
        self._inside, self._exits, self._exit, self._listener = inside, exits, exit, listener
        self._prelude = prelude
        self._make = carrier
        self._carrier: Carrier | None = None
        self._talk: Conversation = shape.converse(random, client)  # whose handshake is under way, or was last
        self._keys: Conversation | None = None  # whose keys are used
        self._answered = 0  # messages of the script that both ends have heard of, as far as the client knows
        self._seen: set[int] = set()  # of the client's, by the server
        self._server_up = False
        self._places: dict[int, tuple[str, int]] = {}  # where the server sends to, by its port
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._heard_ns = self._said_ns = self._server_said_ns = clock.now_ns
        self._unanswered_ns = _NEVER_NS  # when the first packet was sent that nothing has come for since
        self.changed = Signal(clock)  #: something has happened to it
        self._broken: OSError | None = None
        self._closed = False
        self.up = False  #: the client has keys
        self.times_up = 0
        self.why = failure.TIMEOUT  #: the latest failure, OONI's string
        clock.process(self._live())
        clock.process(self._watch())

    # -- what the inside and the carrier call -------------------------------------------------------------------------

    def carry(self, raw: bytes) -> None:
        """A packet from inside."""
        if self._closed:
            return
        if not self.up:
            if self._shape.waits:
                self._waiting.append(raw)
            return
        if self._unanswered_ns == _NEVER_NS:
            self._unanswered_ns = self._clock.now_ns
        assert self._keys is not None, "it is up"
        self._say(self._keys.seal(UP, raw))

    def heard(self, message: bytes, port: int) -> None:
        """A message has come to the client."""
        script = self._talk.script
        if self._answered < len(script):
            for place in range(self._answered, len(script)):
                if script[place].up:
                    break
                if script[place].raw == message:
                    if place == self._answered:
                        self._answered += 1
                        self._heard_ns = self._clock.now_ns
                        self.changed.tell()
                    return
        inner = self._keys.open(DOWN, message) if self._keys else None
        if inner is None:
            return
        self._heard_ns = self._clock.now_ns
        self._unanswered_ns = _NEVER_NS
        if inner:
            self._inside.deliver(inner)

    def serve(self, client: tuple[str, int]) -> Hear:
        """The server's end for a client at this address and port."""

        def hear(message: bytes, port: int) -> None:
            self._places[port] = client
            self._server_hears(message)

        return hear

    def broke(self, error: OSError) -> None:
        """What carries the messages is gone."""
        self._broken = error
        self.why = named(error)
        self.changed.tell()

    # -- the server ---------------------------------------------------------------------------------------------------

    def _server_hears(self, message: bytes) -> None:
        script = self._talk.script
        for place, said in enumerate(script):
            if said.up and said.raw == message:
                self._seen.add(place)
                self._server_answers(place)
                return
        inner = self._keys.open(UP, message) if self._keys else None
        if inner is None or self._keys is None:
            return
        self._server_up = True
        if inner:
            self._exits.out(inner, self._exit, self.deliver_out)
        else:
            answer = self._keys.answer(message)
            if answer:
                self._server_says(answer)

    def _server_answers(self, place: int) -> None:
        """Say what follows the client's messages up to this one, once all of these are there."""
        script = self._talk.script
        last = place
        while last + 1 < len(script) and script[last + 1].up:
            last += 1
        first = last
        while first and script[first - 1].up:
            first -= 1
        if not all(one in self._seen for one in range(first, last + 1)):
            return
        if last + 1 == len(script):
            self._server_up = True
        for said in script[last + 1 :]:
            if said.up:
                break
            self._listener.send(said.raw, said.port, self._places[said.port])

    def deliver_out(self, raw: bytes) -> None:
        """An answer has come to the relay."""
        if self._server_up and self._keys is not None and not self._closed:
            self._server_says(self._keys.seal(DOWN, raw))

    def _server_says(self, message: bytes) -> None:
        place = self._places.get(self._talk.data_port)
        if place is not None:
            self._server_said_ns = self._clock.now_ns
            self._listener.send(message, self._talk.data_port, place)

    # -- the client ---------------------------------------------------------------------------------------------------

    def _live(self) -> Generator[Event, Any, None]:
        """Begin; carry until the peer is dead; begin anew."""
        failed = 0
        while not self._closed:
            ok = yield from self._begin()
            if self._closed:
                return
            if ok:
                failed = 0
                yield from self._until_dead()
                if self._shape.times.unanswered:
                    continue  # the old keys serve until there are new ones
            self._hang_up()
            again = self._shape.times.again
            yield self._clock.wait(again[min(failed, len(again) - 1)])
            failed += 1

    def _begin(self) -> Generator[Event, Any, bool]:
        """One attempt; whether it came to keys."""
        self._broken = None
        try:
            if self._carrier is None:
                if self._prelude is not None:
                    yield from self._prelude()
                self._carrier = self._make(self)
                yield from self._carrier.open(sum(self._shape.times.retries))
        except OSError as error:
            self.why = named(error)
            return False
        self._talk = talk = self._shape.converse(self._random, self._number)
        self._answered, self._seen = 0, set()
        if not (yield from self._agree()):
            return False
        self._keys = talk
        self.up = True
        self.times_up += 1
        self._heard_ns = self._clock.now_ns
        self._unanswered_ns = _NEVER_NS
        self.changed.tell()
        if self._shape.waits and not self._waiting:
            self._say(talk.seal(UP, b""))  # the client speaks first, and says that it has the keys
        while self._waiting:
            self.carry(self._waiting.popleft())
        return True

    def _agree(self) -> Generator[Event, Any, bool]:
        """Go through the script, saying the client's messages again until they are answered; whether it is through."""
        script = self._talk.script
        while self._answered < len(script):
            first = last = self._answered
            while last < len(script) and script[last].up:
                last += 1
            for wait_s in self._shape.times.retries:
                if self._closed or self._carrier is None:  # it was closed while it waited
                    self._hang_up()
                    return False
                for said in script[first:last]:
                    self._carrier.send(said.raw, said.port)
                self._answered = last
                due_ns = self._clock.now_ns + round(wait_s * SECOND_NS)
                while self._is_due_from_server() and (left_ns := due_ns - self._clock.now_ns) > 0:
                    if self._closed or self._broken is not None:
                        return False
                    yield self.changed.next | self._clock.wait(left_ns / SECOND_NS)
                if not self._is_due_from_server():
                    break
            else:
                self.why = failure.TIMEOUT
                return False
        return True

    def _is_due_from_server(self) -> bool:
        script = self._talk.script
        return self._answered < len(script) and not script[self._answered].up

    def _until_dead(self) -> Generator[Event, Any, None]:
        times = self._shape.times
        while not self._closed and self._broken is None:
            now_ns = self._clock.now_ns
            if times.dead and now_ns - self._heard_ns >= times.dead * SECOND_NS:
                self.why = failure.TIMEOUT
                return
            waited_ns = now_ns - self._unanswered_ns if self._unanswered_ns != _NEVER_NS else 0
            if times.unanswered and waited_ns >= times.unanswered * SECOND_NS:
                self._unanswered_ns = _NEVER_NS
                return
            yield self.changed.next | self._clock.wait(_LOOK_S)

    def _watch(self) -> Generator[Event, Any, None]:
        """Say something when too little is said."""
        times = self._shape.times
        while not self._closed:
            yield self._clock.wait(_LOOK_S)
            now_ns = self._clock.now_ns
            if not self.up or self._closed or self._keys is None:
                continue
            quiet = times.quiet and now_ns - self._heard_ns >= times.quiet * SECOND_NS
            if (times.ping and now_ns - self._said_ns >= times.ping * SECOND_NS) or (
                quiet and now_ns - self._said_ns >= SECOND_NS
            ):
                self._say(self._keys.seal(UP, b""))
            if times.server_ping and self._server_up and now_ns - self._server_said_ns >= times.server_ping * SECOND_NS:
                self._server_says(self._keys.seal(DOWN, b""))

    def _say(self, message: bytes) -> None:
        self._said_ns = self._clock.now_ns
        if self._carrier is not None:
            self._carrier.send(message, self._talk.data_port)

    def _hang_up(self) -> None:
        self.up = self._server_up = False
        self._keys = None
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.close()

    def close(self) -> None:
        """End it, for good."""
        self._closed = True
        self._hang_up()
        self.changed.tell()
