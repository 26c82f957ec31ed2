"""When the sender believes that packets were lost, and what it does to its window meanwhile, as Linux decides it.

Which segments are lost is found by `scoreboard` (RACK, RFC 8985); here stand the states, proportional rate reduction
(RFC 6937), F-RTO (RFC 5682) and the undoing of what was needless (RFC 3522 by timestamps, RFC 3708 by duplicate SACKs).
It sends nothing.
"""

from __future__ import annotations

from enum import Enum

from testbed.simulate.tcp.congestion import INFINITE, Congestion, Window
from testbed.simulate.tcp.round_trips import MS, RoundTrips
from testbed.simulate.tcp.scoreboard import Acked, Scoreboard

#: duplicate acknowledgements that mean a loss where nothing was ever reordered (RFC 5681, 3.2)
DUPLICATES = 3


class State(Enum):
    """What the sender believes about the packets under way."""

    OPEN = "open"  #: all is well
    DISORDER = "disorder"  #: some came before others; it may be nothing
    RECOVERY = "recovery"  #: lost segments are being sent again
    LOSS = "loss"  #: the timer went off: begin anew


class Recovery:
    """The states of one sender."""

    __slots__ = (
        *("_congestion", "_delivered", "_prior_packets", "_prior_threshold", "_resent_ns", "_round_trips", "_scores"),
        *("_undo_count", "_undo_from", "frto", "high", "new_first", "reordered", "sent", "state", "steps", "timeouts"),
        *("entered", "undone", "window"),
    )

    def __init__(
        self, scores: Scoreboard, round_trips: RoundTrips, window: Window, congestion: Congestion, una: int
    ) -> None:
        self.state = State.OPEN
        self.high = una  #: recovery is over when all before this is acknowledged
        self.window = window
        self.sent = 0  #: packets sent since the window began to shrink (RFC 6937: prr_out)
        self.timeouts = 0  #: timeouts in a row with nothing acknowledged between
        self.frto = False  #: the last timeout may have been needless
        self.new_first = False  #: send what is new before what is lost, to find that out
        self.reordered = False  #: packets of this connection have overtaken one another
        self.steps = 1  #: quarters of a round trip that a late packet is waited for, once something was reordered
        self.entered = 0  #: times that the window was reduced
        self.undone = 0
        self._scores = scores
        self._round_trips = round_trips
        self._congestion = congestion
        self._delivered = 0
        self._prior_packets = 0
        self._prior_threshold = 0
        self._undo_from: int | None = None
        self._undo_count = 0
        self._resent_ns = 0  # when the first segment of this episode was sent again

    def patience_ns(self) -> int:
        """How long a packet may be late after later ones have come (RFC 8985, 6.2 step 4)."""
        if not self.reordered and (self.state in (State.RECOVERY, State.LOSS) or self._scores.sacked >= DUPLICATES):
            return 0
        return min(self._round_trips.least_ns * self.steps // 4, self._round_trips.smoothed_ns)

    # -- what begins it ---------------------------------------------------------------------------------------------

    def _reduce(self, next_number: int) -> None:
        self.high = next_number
        self.window.count = 0
        self._prior_packets = self.window.packets
        self._delivered = self.sent = 0
        self.entered += 1
        self.window.threshold = self._congestion.threshold(self.window)

    def _may_undo_from(self, una: int, under_way_again: int) -> None:
        self._undo_from = una
        self._undo_count = under_way_again or -1

    def enter_recovery(self, una: int, next_number: int) -> None:
        """Something is lost."""
        self._prior_threshold = 0
        self._may_undo_from(una, 0)
        self._resent_ns = 0
        if self.state is not State.RECOVERY:
            self._prior_threshold = self._threshold_now()
            self._reduce(next_number)
        self.state = State.RECOVERY

    def reduce_once(self, next_number: int) -> None:
        """A loss probe has repaired the only loss there was: reduce, and go on (RFC 8985, 7.4.2)."""
        self._undo_from = None
        self._reduce(next_number)
        self.window.packets = self.window.threshold

    def enter_loss(self, una: int, next_number: int, now_ns: int) -> None:
        """The timer has gone off."""
        fresh = self.state in (State.OPEN, State.DISORDER)
        self._scores.lose_at_timeout(now_ns, self.patience_ns())
        if fresh or self.high <= una or (self.state is State.LOSS and not self.timeouts):
            self._prior_threshold = self._threshold_now()
            self._prior_packets = self.window.packets
            self.window.threshold = self._congestion.threshold(self.window)
            self._congestion.on_timeout()
            self.entered += 1
            self._may_undo_from(una, 0)
            self._resent_ns = 0
        self.window.packets = len(self._scores.in_flight) + 1
        self.window.count = 0
        self.frto = fresh or self.timeouts > 0
        self.high = next_number
        self.state = State.LOSS

    def _threshold_now(self) -> int:
        """The threshold, and at least three quarters of the window if nothing is being reduced (RFC 2861)."""
        if self.state is State.RECOVERY:
            return self.window.threshold
        return max(self.window.threshold, self.window.packets * 3 // 4)

    # -- what each acknowledgement does ------------------------------------------------------------------------------

    def on_resent(self, now_ns: int) -> None:
        """A segment was sent again."""
        if not self._resent_ns:
            self._resent_ns = now_ns - now_ns % MS  # as exact as the timestamps that it is compared with
        if self._undo_from is not None:
            self._undo_count = max(self._undo_count, 0) + 1

    def on_duplicate(self) -> None:
        """The other end had a segment twice (RFC 2883): what was sent again was not lost."""
        if self._undo_from is not None and self._undo_count > 0:
            self._undo_count -= 1
        self.steps = min(self.steps + 1, 255)

    def on_ack(self, found: Acked, *, advanced: bool, una: int, next_number: int, echo_ns: int, more: bool) -> None:
        """Move between the states, before losses are looked for.

        `echo_ns`: when the other end says that the packet it answers was sent, -1 if it does not; `more`: there is
        new data that may be sent.
        """
        self.new_first = False
        if self.state is State.RECOVERY:
            if una >= self.high:
                if not self._undo(echo_ns):
                    self._end_reduction()
            elif advanced and self._is_late(echo_ns):
                self._undo(echo_ns)
        elif self.state is not State.LOSS:
            if self._undo_count == 0:
                self._undo(echo_ns)
        else:
            self._on_ack_in_loss(found, advanced, una, next_number, echo_ns, more)

    def _on_ack_in_loss(
        self, found: Acked, advanced: bool, una: int, next_number: int, echo_ns: int, more: bool
    ) -> None:
        recovered = una >= self.high
        if advanced and self._undo(echo_ns):
            return
        if self.frto:  # RFC 5682, 3.1
            if found.original and not found.again and self._undo(echo_ns, known=True):
                return
            if next_number > self.high:
                if found.sacked or not advanced:
                    self.frto = False
            elif advanced and not recovered:
                self.high = next_number
                if more:
                    self.new_first = True
                    return
                self.frto = False
        if recovered:
            self.state = State.OPEN

    def _is_late(self, echo_ns: int) -> bool:
        """The answer is to a packet that was sent before anything was sent again (RFC 3522)."""
        return 0 <= echo_ns < self._resent_ns

    def _undo(self, echo_ns: int, *, known: bool = False) -> bool:
        """Take the reduction back if it turns out that nothing was lost."""
        if self._undo_from is None or not (known or self._undo_count == 0 or self._is_late(echo_ns)):
            return False
        self._scores.forgive()
        self.window.packets = max(self.window.packets, self._prior_packets)
        if self._prior_threshold > self.window.threshold:
            self.window.threshold = self._prior_threshold
        self._undo_from = None
        self.undone += 1
        self.frto = False
        self.state = State.OPEN
        return True

    def _end_reduction(self) -> None:
        if self.window.threshold < INFINITE and self._undo_from is not None:
            self.window.packets = self.window.threshold
        self.state = State.OPEN  # but it may still turn out that all of it was needless

    def try_open(self, next_number: int) -> None:
        """Nothing is lost: all is well, or out of order."""
        scores = self._scores
        state = State.DISORDER if scores.sacked or scores.first_lost() is not None else State.OPEN
        if state is not self.state:
            self.state = state
            self.high = next_number

    def reduce(self, delivered: int, *, advanced: bool, newly_lost: int) -> None:
        """Proportional rate reduction: send as much as arrives, and end at the threshold (RFC 6937, Linux's form)."""
        if delivered <= 0 or not self._prior_packets:
            return
        in_flight = len(self._scores.in_flight)
        self._delivered += delivered
        room = self.window.threshold - in_flight
        if room < 0:
            share = self.window.threshold * self._delivered + self._prior_packets - 1
            count = share // self._prior_packets - self.sent
        else:
            count = max(self._delivered - self.sent, delivered)
            if advanced and not newly_lost:
                count += 1
            count = min(room, count)
        count = max(count, 0 if self.sent else 1)
        self.window.packets = in_flight + count
