"""One direction of a link: loss, delay with jitter, a rate with a queue before it that drops what finds it full.

A packet first takes its delay and then waits for the rate, as on the emulated link. It routes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from simpy.events import Event

from testbed.simulate.clock import SECOND_NS, Clock
from testbed.simulate.packet import Packet
from testbed.topology import Way

#: Ethernet's header, which a link's rate counts
_FRAME = 14
#: what may leave at once before the rate holds it back, as in the emulation: two frames, or 4 ms of the rate
_FRAMES_AT_ONCE = 2 * 1_514 + 100
_BURST_S = 0.004


class _Serving:
    """The rate: a token bucket whose queue is bounded in bytes."""

    __slots__ = ("_burst", "_full_ns", "_last_ns", "_leaving", "_limit", "_per_byte", "_waiting")

    def __init__(self, rate: float, queue_packets: int) -> None:
        self._per_byte = 8 * SECOND_NS / rate  # nanoseconds
        self._burst = max(_FRAMES_AT_ONCE, round(rate / 8 * _BURST_S)) * self._per_byte
        self._full_ns = 0.0  # when the bucket is full again, if nothing more is sent
        self._last_ns = 0
        self._limit = queue_packets * 1_514
        self._leaving: deque[tuple[int, int]] = deque()
        self._waiting = 0

    def enqueue(self, size: int, at_ns: int) -> int | None:
        """When a packet that comes at `at_ns` leaves; None: the queue is full. Times never go back."""
        leaving = self._leaving
        while leaving and leaving[0][0] <= at_ns:
            self._waiting -= leaving.popleft()[1]
        if self._waiting + size > self._limit and leaving:
            return None
        full_ns = max(self._full_ns, at_ns) + size * self._per_byte
        leaves_ns = max(at_ns, self._last_ns, round(full_ns - self._burst))
        self._full_ns = full_ns
        self._last_ns = leaves_ns
        if leaves_ns > at_ns:
            leaving.append((leaves_ns, size))
            self._waiting += size
        return leaves_ns


class Pipe:
    """Packets go in by `carry` and come out by the callback, in their order unless the link may reorder them."""

    __slots__ = (
        *("_clock", "_delay_ns", "_deliver", "_jitter_ns", "_last_ns", "_loss", "_random", "_reorder", "_serving"),
        *("lost", "overflown"),
    )

    def __init__(self, clock: Clock, way: Way, random: Random, deliver: Callable[[Packet], Any]) -> None:
        self.lost = 0  #: packets lost at random
        self.overflown = 0  #: packets that found the queue full
        self._clock = clock
        self._random = random
        self._deliver = deliver
        self._delay_ns = round(way.delay * SECOND_NS)
        self._jitter_ns = round(way.jitter * SECOND_NS)
        self._loss = way.loss
        self._reorder = way.reorder
        self._last_ns = 0
        self._serving = None
        if way.rate is not None and way.queue_packets is not None:
            self._serving = _Serving(way.rate, way.queue_packets)

    def carry(self, packet: Packet) -> None:
        """Take a packet in at the near end."""
        if self._loss and self._random.random() < self._loss:
            self.lost += 1
            return
        now_ns = self._clock.now_ns
        at_ns = now_ns + self._delay_ns
        if self._jitter_ns:
            at_ns += round(self._random.uniform(-self._jitter_ns, self._jitter_ns))
            if self._reorder:
                self._clock.after(at_ns - now_ns, self._delayed, packet)
                return
            if at_ns < self._last_ns:
                at_ns = self._last_ns
            self._last_ns = at_ns
        if self._serving is not None:
            # packets keep their order, so what the rate does to this one is known before its delay is over
            leaves_ns = self._serving.enqueue(packet.length + _FRAME, at_ns)
            if leaves_ns is None:
                self.overflown += 1
                return
            at_ns = leaves_ns
        self._clock.after(at_ns - now_ns, self._come, packet)

    def _delayed(self, event: Event) -> None:
        """The delay of a packet is over that may have overtaken others."""
        packet: Packet = event._value
        now_ns = self._clock.now_ns
        leaves_ns: int | None = now_ns
        if self._serving is not None:
            leaves_ns = self._serving.enqueue(packet.length + _FRAME, now_ns)
        if leaves_ns is None:
            self.overflown += 1
        else:
            self._clock.after(leaves_ns - now_ns, self._come, packet)

    def _come(self, event: Event) -> None:
        self._deliver(event._value)
