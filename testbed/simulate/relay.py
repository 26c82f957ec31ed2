"""The simulated media relay, at the addresses of the sites; what it says and when, `testbed.calls.ends` says."""

from __future__ import annotations

from functools import partial
from math import ceil
from random import Random

from simpy.events import Event

from testbed.calls.ends import PORT, Peer, Relay
from testbed.simulate.clock import SECOND_NS
from testbed.simulate.host import Host


class SimulatedRelay:
    """The relay of one address."""

    def __init__(self, host: Host, address: str, random: Random) -> None:
        self._clock = host.clock
        self._random = random
        self._relay: Relay | None = None  # nobody has called
        self._due_ns = -1
        self._socket = host.datagrams(PORT, address=address)
        self._socket.heard = self._take

    def _take(self, data: bytes, peer: Peer) -> None:
        if self._relay is None:
            self._relay = Relay(self._random)
        for answer in self._relay.take(data, peer, self._clock.elapsed_s):
            self._socket.send(answer, peer)
        self._wait(self._relay)

    def _wait(self, relay: Relay) -> None:
        next_s = relay.next_s
        if next_s is not None:
            due_ns = max(self._clock.now_ns, self._clock.start_ns + ceil(next_s * SECOND_NS))
            if due_ns != self._due_ns:
                self._due_ns = due_ns
                self._clock.after(due_ns - self._clock.now_ns, partial(self._go_on, relay), due_ns)

    def _go_on(self, relay: Relay, event: Event) -> None:
        if event.value != self._due_ns:
            return  # another time was set since
        self._due_ns = -1
        for data, peer in relay.due(self._clock.elapsed_s):
            self._socket.send(data, peer)
        self._wait(relay)
