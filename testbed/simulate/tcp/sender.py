"""The sending half of a connection: what leaves when, and what an acknowledgement does.

It knows no ports, no packets and no handshake: segments leave by a callback, acknowledgements come as numbers that do
not wrap. Which segments are lost is said by `scoreboard`, what that means for the window by `recovery`, when to act
without being asked by `timing`.
"""

from __future__ import annotations

from collections.abc import Callable

from testbed.simulate.clock import Clock
from testbed.simulate.tcp.congestion import CONTROLS, Window
from testbed.simulate.tcp.outbox import Outbox
from testbed.simulate.tcp.pacing import Pacing
from testbed.simulate.tcp.pairing import Pairing
from testbed.simulate.tcp.recovery import Recovery, State
from testbed.simulate.tcp.round_trips import RoundTrips
from testbed.simulate.tcp.scoreboard import Acked, Scoreboard, Sent
from testbed.simulate.tcp.settings import Settings
from testbed.simulate.tcp.timing import Timing, Waiting


class Sender:
    """Data goes in by `write`, its end by `finish`; `on_ack` moves it on."""

    __slots__ = (
        *("_clock", "_outbox", "_pacing", "_pairing", "_transmit", "congestion", "give_up", "last_sent_ns", "mss"),
        *("nagle", "next_number", "probe_window", "recovery", "resent", "round_trips", "scores", "sent"),
        *("timing", "una", "window", "window_end"),
    )

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        *,
        begin: int,
        transmit: Callable[[Sent], None],
        probe_window: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        """`begin`: the number of the first byte."""
        self.una = begin  #: all before this is acknowledged
        self.next_number = begin  #: the number of the next new byte
        self.window_end = begin  #: the other end takes what lies before this
        self.mss = settings.segment  #: bytes of payload in a full segment
        self.nagle = settings.nagle  #: keep back what does not fill a segment while something is under way
        self.sent = 0  #: segments sent, those that were sent again included
        self.resent = 0  #: segments sent again
        self.round_trips = RoundTrips()
        self.scores = Scoreboard(begin)
        self.window = Window()
        self.congestion = CONTROLS[settings.control]()
        self.recovery = Recovery(self.scores, self.round_trips, self.window, self.congestion, begin)
        self.probe_window = probe_window
        self.give_up = give_up
        self.timing = Timing(clock, self, self.scores, self.round_trips, self.recovery)
        self._clock = clock
        self._transmit = transmit
        self._outbox = Outbox()
        self.last_sent_ns = 0
        self._pacing = Pacing(clock, self) if settings.pacing else None
        self._pairing = Pairing(clock, self) if settings.offload else None

    @property
    def unsent(self) -> int:
        """Bytes that have not been sent yet."""
        return self._outbox.size

    @property
    def done(self) -> bool:
        """All has been sent and acknowledged, the end included."""
        return not self.scores.queue and not self.unsent and not self._outbox.ended

    def write(self, data: bytes) -> None:
        """Take data to be sent."""
        self._outbox.write(data)
        self.push()

    def finish(self) -> None:
        """Send a FIN behind the data."""
        self._outbox.ended = True
        self.push()

    def stop(self) -> None:
        """Send nothing any more."""
        self._outbox.clear()
        self.timing.stop()
        if self._pacing is not None:
            self._pacing.stop()

    # -- what leaves --------------------------------------------------------------------------------------------------

    def push(self) -> None:
        """Send what the windows allow: what is lost first, then what is new."""
        if self.recovery.state in (State.RECOVERY, State.LOSS):
            self.send_lost()
        self._send_new()

    def send_lost(self) -> None:
        """Send lost segments again, as far as the window allows."""
        scores, window, recovery = self.scores, self.window, self.recovery
        now_ns = self._clock.now_ns
        while len(scores.in_flight) < window.packets:
            sent = scores.first_lost()
            if sent is None or (self._pacing is not None and not self._pacing.may_leave(sent.end - sent.seq)):
                return
            self.resend(sent, now_ns)
            if recovery.state is State.RECOVERY:
                recovery.sent += 1
            if sent is scores.queue[0]:
                self.timing.set(Waiting.RESEND, self.round_trips.rto_ns)

    def resend(self, sent: Sent, now_ns: int) -> None:
        """Send one segment again."""
        self.scores.resend(sent, now_ns)
        self.sent += 1
        self.resent += 1
        self.recovery.on_resent(now_ns)
        self.last_sent_ns = now_ns
        self._transmit(sent)

    def send_probe(self) -> bool:
        """Send one new segment, whatever the congestion window says; False if there is none."""
        size = min(self.unsent, self.mss, self.window_end - self.next_number)
        if size > 0 or (self._outbox.ended and not self.unsent):
            self._send_one(size)
            return True
        return False

    def _send_new(self) -> None:
        """Send new segments, as far as the windows allow."""
        unsent, ends = self._outbox.size, self._outbox.ended
        if not unsent and not ends:
            return
        scores, window, now_ns = self.scores, self.window, self._clock.now_ns
        flying = scores.in_flight
        if not scores.queue and self.last_sent_ns and now_ns - self.last_sent_ns > self.round_trips.rto_ns:
            self.congestion.on_idle_end(now_ns, now_ns - self.last_sent_ns)
            window.restart(now_ns - self.last_sent_ns, self.round_trips.rto_ns)
        count = 0
        waits = False
        while (unsent or ends) and len(flying) < window.packets:
            size = min(unsent, self.mss)
            if size < self.mss and self.nagle and scores.queue and not ends:
                break
            room = self.window_end - self.next_number
            if size > room:
                # a small window is filled only when nothing else could open it (RFC 9293, 3.8.6.2.1)
                if room <= 0 or scores.queue:
                    break
                size = room
            if self._pacing is not None and not self._pacing.may_leave(size):
                break
            if self._pairing is not None and self._pairing.holds(unsent, count):
                waits = True
                break
            self._send_one(size)
            unsent -= size
            ends = self._outbox.ended
            count += 1
        limited = waits or len(flying) >= window.packets
        if count or limited:
            window.note_use(self.una, self.next_number, len(scores.queue), limited)
        if count:
            if self.recovery.state is State.RECOVERY:
                self.recovery.sent += count
            self.timing.set_probe(advancing=False)
        elif not scores.queue and unsent and self.timing.waiting is Waiting.NOTHING:
            self.timing.set(Waiting.WINDOW, self.round_trips.rto_ns)

    def _send_one(self, size: int) -> None:
        """Send the next bytes, and the end if it comes behind them."""
        now_ns = self._clock.now_ns
        sent = Sent(self.next_number, *self._outbox.take(size))
        self.next_number = sent.end
        self.sent += 1
        first = not self.scores.queue
        self.scores.add(sent, now_ns)
        self.last_sent_ns = now_ns
        if first or self.timing.waiting is Waiting.PROBE:
            self.timing.set_resend()
        self._transmit(sent)

    # -- acknowledgements -----------------------------------------------------------------------------------------

    def on_ack(
        self, ack: int, blocks: list[tuple[int, int]], *, echo_ns: int, plain: bool, duplicate: bool = False
    ) -> None:
        """Take an acknowledgement. `blocks`: SACK; `echo_ns`: when the answered packet was sent, -1 if unknown.

        `plain`: it carries no data and changes no window. `duplicate`: its first SACK block was of that kind.
        """
        scores, recovery, timing = self.scores, self.recovery, self.timing
        now_ns = self._clock.now_ns
        found = Acked()
        before_delivered, before_lost = scores.delivered, scores.total_lost
        advanced = ack > self.una
        scores.rack_moved = False
        if not scores.queue:
            if duplicate:
                recovery.on_duplicate()
                self._alert(found, advanced, echo_ns, now_ns)
            self._after_silence()
            return
        least_ns = self.round_trips.least_ns
        if blocks:
            scores.select(blocks, now_ns, least_ns, recovery.high, found)
        if advanced:
            self.una = ack
            recovery.timeouts = 0
            scores.acknowledge(ack, now_ns, least_ns, recovery.high, found)
        if found.reordered:
            recovery.reordered = True
        if duplicate:
            recovery.on_duplicate()
        rearm = self._measure(found, advanced, echo_ns, now_ns) or found.acked > 0
        timing.on_ack(ack, duplicate=duplicate, bare=plain and not advanced and not found.sacked)
        resend = False
        if found.sacked or duplicate or recovery.state is not State.OPEN or (not advanced and plain):
            resend, late = self._alert(found, advanced, echo_ns, now_ns)
            rearm = rearm and not late
        if rearm and not timing.set_probe(advancing=True):
            timing.set_resend()
        delivered = scores.delivered - before_delivered
        if recovery.state is State.RECOVERY:
            recovery.reduce(delivered, advanced=advanced, newly_lost=scores.total_lost - before_lost)
        elif advanced and self.window.in_use:
            self.congestion.on_acked(self.window, delivered, now_ns)
        if recovery.new_first:
            recovery.new_first = False
            self._send_new()
            resend = self.next_number <= recovery.high
            recovery.frto = not resend
        if resend:
            self.send_lost()
        self._send_new()
        if not scores.queue and timing.waiting is not Waiting.WINDOW:
            timing.stop()
            self._after_silence()

    def _after_silence(self) -> None:
        """Nothing is under way: a window that was closed may have opened."""
        timing = self.timing
        if timing.waiting is Waiting.WINDOW and self.window_end - self.next_number >= min(self.unsent, self.mss):
            timing.stop()
        self._send_new()

    def _measure(self, found: Acked, advanced: bool, echo_ns: int, now_ns: int) -> bool:
        """Take round trips; True if one is news of what was sent after the head of the queue was."""
        rtt_ns = sack_ns = -1
        if found.sack_first_ns >= 0:
            sack_ns = now_ns - found.sack_first_ns
        if found.first_ns >= 0 and not found.again:
            rtt_ns = now_ns - found.first_ns
            self.congestion.on_round_trip(self.window, now_ns - found.last_ns, now_ns, self.una, self.next_number)
        elif sack_ns >= 0:
            self.congestion.on_round_trip(self.window, sack_ns, now_ns, self.una, self.next_number)
        if rtt_ns < 0:
            rtt_ns = sack_ns
        if rtt_ns < 0 and found.acked and echo_ns >= 0:
            rtt_ns = now_ns - echo_ns
        if rtt_ns >= 0:
            self.round_trips.take(rtt_ns, self.una, self.next_number)
        queue = self.scores.queue
        return sack_ns >= 0 and bool(queue) and sack_ns > now_ns - queue[0].sent_ns

    def _alert(self, found: Acked, advanced: bool, echo_ns: int, now_ns: int) -> tuple[bool, bool]:
        """Look for losses; returns whether to send again, and whether a late packet is waited for."""
        recovery, scores = self.recovery, self.scores
        recovery.on_ack(
            found,
            advanced=advanced,
            una=self.una,
            next_number=self.next_number,
            echo_ns=echo_ns,
            more=bool(self.unsent) and self.window_end > self.next_number,
        )
        again = late = False
        if scores.rack_moved:
            _, wait_ns, again = scores.find_lost(now_ns, recovery.patience_ns())
            if wait_ns:
                late = True
                self.timing.set_late(wait_ns)
        if recovery.state is State.RECOVERY:
            return True, late
        if recovery.state is State.LOSS and not again:
            return not recovery.new_first, late
        if scores.first_lost() is None:
            recovery.try_open(self.next_number)
            return False, late
        recovery.enter_recovery(self.una, self.next_number)
        return True, late
