"""What a sender's one timer is set for: to send again, to probe for a lost tail, to wait for what is late.

It decides when something must be sent; what, is said by `scoreboard` and `recovery`, and `sender` sends it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from testbed.simulate.clock import Clock
from testbed.simulate.tcp.recovery import Recovery, State
from testbed.simulate.tcp.round_trips import FIRST_RTO_NS, MS, RTO_MIN_NS, RoundTrips
from testbed.simulate.tcp.scoreboard import Scoreboard, Sent
from testbed.simulate.tcp.timer import Timer

#: Linux gives up after this many timeouts in a row (tcp_retries2)
MAX_TIMEOUTS = 15
#: the least that Linux waits with a timer of its own: two ticks of 1 ms
_TICKS_NS = 2 * MS


class Waiting(Enum):
    """What the timer is set for."""

    NOTHING = "nothing"
    RESEND = "resend"  #: the retransmission timeout
    PROBE = "probe"  #: a tail loss probe (RFC 8985, 7)
    LATE = "late"  #: a packet that may yet come (RFC 8985, 6.2 step 5)
    WINDOW = "window"  #: the other end's window is closed (RFC 9293, 3.8.6.1)


class Sending(Protocol):
    """What a timer has done; `sender.Sender` is one."""

    una: int
    next_number: int

    def resend(self, sent: Sent, now_ns: int) -> None: ...
    def send_lost(self) -> None: ...
    def send_probe(self) -> bool:
        """Send one new segment, whatever the congestion window says; False if there is none."""

    def probe_window(self) -> None: ...
    def give_up(self) -> None: ...


class Timing:
    """The timer of one sender."""

    __slots__ = (
        *("_clock", "_probe_end", "_probe_new", "_recovery", "_round_trips", "_scores", "_sender", "_timer"),
        "waiting",
    )

    def __init__(
        self, clock: Clock, sender: Sending, scores: Scoreboard, round_trips: RoundTrips, recovery: Recovery
    ) -> None:
        self.waiting = Waiting.NOTHING
        self._clock = clock
        self._sender = sender
        self._scores = scores
        self._round_trips = round_trips
        self._recovery = recovery
        self._timer = Timer(clock, self._ring)
        self._probe_end: int | None = None
        self._probe_new = False

    @property
    def armed(self) -> bool:
        return self._timer.due_ns is not None

    def set(self, waiting: Waiting, in_ns: int) -> None:
        """Wait for this alone, so long from now."""
        self.waiting = waiting
        self._timer.set(self._clock.now_ns + in_ns)

    def stop(self) -> None:
        self.waiting = Waiting.NOTHING
        self._timer.stop()

    def set_resend(self) -> None:
        """Set the retransmission timer for what is under way; time that was waited for something else counts."""
        queue = self._scores.queue
        if not queue:
            self.stop()
            return
        wait_ns = self._round_trips.rto_ns
        if self.waiting in (Waiting.PROBE, Waiting.LATE):
            wait_ns = max(queue[0].sent_ns + wait_ns - self._clock.now_ns, MS)
        self.set(Waiting.RESEND, wait_ns)

    def set_probe(self, *, advancing: bool) -> bool:
        """Wait for the tail of what was sent (RFC 8985, 7.2); False if there is nothing to wait for.

        `advancing`: an acknowledgement has come, so that the retransmission timer would start anew.
        """
        queue = self._scores.queue
        if self._recovery.state is not State.OPEN or not queue:
            return False
        round_trips = self._round_trips
        wait_ns = FIRST_RTO_NS
        if round_trips.smoothed_ns:
            wait_ns = 2 * round_trips.smoothed_ns + (RTO_MIN_NS if len(queue) == 1 else _TICKS_NS)
        left_ns = round_trips.rto_ns
        if not advancing:
            left_ns += queue[0].sent_ns - self._clock.now_ns
        self.set(Waiting.PROBE, min(wait_ns, left_ns) if left_ns > 0 else wait_ns)
        return True

    def set_late(self, wait_ns: int) -> None:
        """Wait for a packet that others have overtaken."""
        self.set(Waiting.LATE, wait_ns + _TICKS_NS)

    def on_ack(self, ack: int, *, duplicate: bool, bare: bool) -> None:
        """RFC 8985, 7.4: did a probe repair a loss that nothing else would have told of?

        `duplicate`: a duplicate SACK says that it was needless. `bare`: the acknowledgement says nothing else.
        """
        if self._probe_end is None or ack < self._probe_end:
            return
        if self._probe_new or duplicate:
            self._probe_end = None
        elif ack > self._probe_end:
            self._probe_end = None
            self._recovery.reduce_once(self._sender.next_number)
        elif bare:
            self._probe_end = None

    def _ring(self) -> None:
        waiting = self.waiting
        rings: dict[Waiting, Callable[[], None]] = {
            Waiting.PROBE: self._probe,
            Waiting.LATE: self._late,
            Waiting.WINDOW: self._ask,
            Waiting.RESEND: self._time_out,
        }
        rings[waiting]()

    def _probe(self) -> None:
        """Send one segment, so that its acknowledgement tells of the others (RFC 8985, 7.3)."""
        queue = self._scores.queue
        if queue and self._probe_end is None:
            self._probe_new = self._sender.send_probe()
            if not self._probe_new and not queue[-1].sacked:
                self._sender.resend(queue[-1], self._clock.now_ns)
            self._probe_end = self._sender.next_number
            self.waiting = Waiting.NOTHING  # so that the whole timeout begins now
        self.set_resend()

    def _late(self) -> None:
        """What was late has not come."""
        sender, recovery = self._sender, self._recovery
        lost, wait_ns, _ = self._scores.find_lost(self._clock.now_ns, recovery.patience_ns())
        if wait_ns:
            self.set_late(wait_ns)
        if lost:
            if recovery.state is not State.RECOVERY:
                recovery.enter_recovery(sender.una, sender.next_number)
                recovery.reduce(1, advanced=False, newly_lost=lost)
            sender.send_lost()
        if not self.armed:
            self.set_resend()

    def _ask(self) -> None:
        """Ask whether the other end's window is still closed."""
        self._sender.probe_window()
        self._round_trips.back_off()
        self.set(Waiting.WINDOW, self._round_trips.rto_ns)

    def _time_out(self) -> None:
        """RFC 6298, 5.4 to 5.7."""
        sender, recovery, queue = self._sender, self._recovery, self._scores.queue
        self.waiting = Waiting.NOTHING
        if not queue:
            return
        if recovery.timeouts >= MAX_TIMEOUTS:
            sender.give_up()
            return
        self._probe_end = None
        recovery.enter_loss(sender.una, sender.next_number, self._clock.now_ns)
        recovery.timeouts += 1
        if not queue[0].sacked:
            sender.resend(queue[0], self._clock.now_ns)
        self._round_trips.back_off()
        self.set(Waiting.RESEND, self._round_trips.rto_ns)
