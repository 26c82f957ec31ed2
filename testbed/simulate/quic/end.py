"""One end of a QUIC connection in virtual time: aioquic gets datagrams and the time, and says what to send and when.

aioquic counts seconds as floating point. It is told those since its connection began, so that a simulation's date costs
no precision, and a timer never fires before its time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil

from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent
from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock
from testbed.simulate.quic.chance import QuicChance

Place = tuple[str, int]


class QuicEnd:
    """Drives a connection; `events` is what has happened, and `happened` is called when there are some."""

    def __init__(
        self, connection: QuicConnection, clock: Clock, chance: QuicChance, send: Callable[[bytes, Place], None]
    ) -> None:
        self.connection = connection
        self.events: deque[QuicEvent] = deque()
        self.happened: Callable[[], None] = lambda: None
        self._clock, self._chance, self._send = clock, chance, send
        self._begin_ns = clock.now_ns
        self._due_ns = -1  # when the timer that counts fires

    @property
    def _now_s(self) -> float:
        return (self._clock.now_ns - self._begin_ns) / SECOND_NS

    def connect(self, remote: Place) -> None:
        """Send the first flight."""
        with self._chance:
            self.connection.connect(remote, now=self._now_s)
        self.go_on()

    def take(self, data: bytes, remote: Place) -> None:
        """A datagram has come."""
        with self._chance:
            self.connection.receive_datagram(data, remote, now=self._now_s)
        self.go_on()

    def go_on(self) -> None:
        """Look at what has happened, send what there is to be sent, and set the timer."""
        with self._chance:
            while (event := self.connection.next_event()) is not None:
                self.events.append(event)
            for data, remote in self.connection.datagrams_to_send(now=self._now_s):
                self._send(data, (remote[0], remote[1]))
            timer_s = self.connection.get_timer()
        if timer_s is not None:
            due_ns = max(self._clock.now_ns, self._begin_ns + ceil(timer_s * SECOND_NS))
            if due_ns != self._due_ns:
                self._due_ns = due_ns
                self._clock.after(due_ns - self._clock.now_ns, self._timer, due_ns)
        else:
            self._due_ns = -1
        if self.events:
            self.happened()

    def _timer(self, event: Event) -> None:
        if event.value != self._due_ns:
            return  # another time was set since
        self._due_ns = -1
        timer_s = self.connection.get_timer()
        if timer_s is not None:
            with self._chance:
                self.connection.handle_timer(now=max(timer_s, self._now_s))
            self.go_on()
