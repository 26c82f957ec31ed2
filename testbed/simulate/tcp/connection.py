"""One end of a TCP connection: what each segment does to it (RFC 9293), as Linux does it.

It knows no routes and no listening ports: segments leave by a callback and come by `handle`. How a program waits for it
is in `stream`; how it begins, in `opening`. Numbers do not wrap inside.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from middlebox.packet import ACK, FIN, PSH, RST, SYN
from testbed.simulate.clock import Clock
from testbed.simulate.tcp.acknowledging import Acknowledging
from testbed.simulate.tcp.phase import AFTER_FIN, AFTER_THEIRS, CLOSING, Phase
from testbed.simulate.tcp.reassembly import Reassembly
from testbed.simulate.tcp.round_trips import MS
from testbed.simulate.tcp.scoreboard import Sent
from testbed.simulate.tcp.segment import MASK, Segment, unwrapped
from testbed.simulate.tcp.sender import Sender
from testbed.simulate.tcp.settings import Settings
from testbed.simulate.tcp.timer import Timer
from testbed.simulate.tcp.times import Times
from testbed.simulate.tcp.tuning import Tuning

#: Linux answers strange segments at most this often (tcp_invalid_ratelimit)
_CHALLENGE_NS = 500 * MS
#: Linux: TCP_TIMEWAIT_LEN, and tcp_fin_timeout
_LINGER_NS = 60_000 * MS


class Machine:
    """The state of one end; `stream.Connection` is what programs see of it."""

    def __init__(
        self, clock: Clock, settings: Settings, ports: tuple[int, int], random: Random, emit: Callable[[Segment], None]
    ) -> None:
        """`ports`: this end's and the other's. `emit`: have a segment sent to the other end."""
        self.clock = clock
        self.settings = settings
        self.phase = Phase.SYN_SENT
        self.error: Exception | None = None  #: why the connection broke
        self.ended = False  #: the other end has sent all it had
        self.on_change: Callable[[], None] = lambda: None  #: something is there that a program may wait for
        self.on_closed: Callable[[], object] = lambda: None
        self.inbox: list[bytes] = []  #: what has come and was not read
        self.unread = 0  #: bytes of it
        self.data_wanted = False  #: a program waits for something to read
        self.room_wanted = False  #: a program waits until it may send more
        self.challenged = 0  #: strange segments that were answered with an acknowledgement (RFC 5961)
        self.local_port, self.remote_port = ports
        self.begin = random.getrandbits(32)  #: this end's initial number
        self.times = Times(clock, random, used=settings.timestamps)
        self.with_sack = settings.sack
        self.send_scale = self.receive_scale = 0  #: of the windows that come, and of those that are told
        self.segment = settings.segment
        self.sender = Sender(
            clock,
            settings,
            begin=self.begin + 1,
            transmit=self._transmit,
            probe_window=lambda: self.emit(ACK, self.sender.una - 1),
            give_up=lambda: self.fail(TimeoutError("connection timed out")),
        )
        self.reassembly = Reassembly(0)
        self.told_window = 0  #: the other end may send what lies before this
        self.acknowledging = Acknowledging(clock, self.sender.round_trips, self.acknowledge)
        self.send_out = emit  #: for segments of the handshake
        self._tuning = Tuning(settings, self.sender.round_trips)
        self._fin: int | None = None  # the number of the other end's FIN
        self._most_window = 0  # the largest that the other end told
        self._window_from = 0
        self._challenged_ns = -_CHALLENGE_NS
        self._linger = Timer(clock, self._close)

    # -- segments that leave -------------------------------------------------------------------------------------------

    def emit(self, flags: int, number: int, payload: bytes = b"") -> None:
        """Send a segment that tells how far the other direction has come."""
        reassembly = self.reassembly
        # who waits for data has as good as read it: a burst arrives at one instant, and is read when it is over
        unread = 0 if self.data_wanted else self.unread
        window = max(0, self._tuning.limit - unread - reassembly.buffered)
        self.told_window = reassembly.next_number + window
        blocks = reassembly.blocks() if (reassembly.missing or reassembly.twice) and self.with_sack else ()
        segment = Segment(
            self.local_port,
            self.remote_port,
            number & MASK,
            reassembly.next_number & MASK,
            flags,
            min(window >> self.receive_scale, 0xFFFF),
            payload,
            self.times.stamp(),
        )
        if blocks:
            segment.sacks = tuple((first & MASK, last & MASK) for first, last in blocks)
        self.acknowledging.on_sent(reassembly.next_number, len(payload))
        self.send_out(segment)

    def acknowledge(self) -> None:
        self.emit(ACK, self.sender.next_number)

    def _transmit(self, sent: Sent) -> None:
        flags = ACK
        if sent.fin:
            flags |= FIN
        if sent.payload and sent.end == self.sender.next_number and not self.sender.unsent:
            flags |= PSH
        self.emit(flags, sent.seq, sent.payload)

    def reset(self) -> None:
        """Tell the other end that there is nothing any more."""
        self.emit(RST | ACK, self.sender.next_number)

    def _challenge(self) -> None:
        """Answer a segment that may be forged: who really sent it will know what to do (RFC 5961, 3.2 and 4.2)."""
        now_ns = self.clock.now_ns
        if now_ns - self._challenged_ns >= _CHALLENGE_NS:
            self._challenged_ns = now_ns
            self.challenged += 1
            self.acknowledge()

    # -- segments that come ---------------------------------------------------------------------------------------

    def handle(self, segment: Segment) -> None:
        """Take a segment once both ends have spoken (RFC 9293, 3.10.7.4)."""
        reassembly = self.reassembly
        flags, payload = segment.flags, segment.payload
        times = segment.times if self.times.used else None
        seq = unwrapped(segment.seq, reassembly.next_number)
        end = seq + len(payload) + (flags & FIN)
        if times is not None and not flags & RST and self.times.is_old(times[0]):
            self._out_of_place(segment, seq, end)
            return
        if end < self.acknowledging.told or seq > max(self.told_window, reassembly.next_number):
            if not flags & RST:
                self._out_of_place(segment, seq, end)
            return
        if flags & RST:
            self._on_reset(seq)
            return
        if flags & SYN:
            self._challenge()
            return
        if not flags & ACK:
            return
        if times is not None and seq <= reassembly.next_number:
            self.times.recent = times[0]
        if not self._on_ack(segment, seq, bool(payload) or bool(flags & FIN)):
            return
        if flags & FIN and self._fin is None:
            self._fin = seq + len(payload)
        if payload:
            self._on_data(seq, payload)
        self._on_fin(end if flags & FIN else None)

    def _out_of_place(self, segment: Segment, seq: int, end: int) -> None:
        """What is outside of the window is answered with where it ought to be."""
        if segment.flags & SYN or end == seq:
            self._challenge()
            return
        if seq < self.reassembly.next_number:
            self.acknowledging.hurry()
            self.reassembly.twice = (seq, min(end, self.reassembly.next_number))
        self.acknowledge()

    def _on_reset(self, seq: int) -> None:
        """RFC 5961, 3.2; Linux also takes the number behind the last byte that has come."""
        if seq == self.reassembly.next_number or (self.reassembly.missing and seq == self.reassembly.highest):
            self.fail(
                BrokenPipeError("broken pipe")
                if self.phase is Phase.CLOSE_WAIT
                else ConnectionResetError("connection reset by peer")
            )
        else:
            self._challenge()

    def _on_ack(self, segment: Segment, seq: int, data: bool) -> bool:
        """False if the segment acknowledges what it cannot know of, so that nothing in it is believed."""
        sender = self.sender
        ack = unwrapped(segment.ack, sender.una)
        if ack > sender.next_number:
            return False
        if ack < sender.una:
            if ack < sender.una - self._most_window:
                self._challenge()
                return False
            return True
        window = segment.window << self.send_scale
        moved = False
        if ack > sender.una or seq > self._window_from or window > sender.window_end - sender.una:
            moved = ack + window != sender.window_end and not data
            self._window_from = seq
            sender.window_end = ack + window
            self._most_window = max(self._most_window, window)
        moved = moved and ack == sender.una and not segment.sacks
        blocks: list[tuple[int, int]] = []
        duplicate = False
        if segment.sacks:
            blocks = [(unwrapped(one, sender.una), unwrapped(two, sender.una)) for one, two in segment.sacks]
            first = blocks[0]
            if first[0] < ack or (len(blocks) > 1 and blocks[1][0] <= first[0] and first[1] <= blocks[1][1]):
                duplicate = True
                del blocks[0]
            blocks = [one for one in blocks if ack <= one[0] < one[1] <= sender.next_number]
        echo_ns = -1 if segment.times is None else self.times.sent_ns(segment.times[1])
        sender.on_ack(ack, blocks, echo_ns=echo_ns, plain=not data and not moved, duplicate=duplicate)
        if sender.done and self.phase in AFTER_FIN:
            self._enter(AFTER_FIN[self.phase])
            self.on_change()
        elif self.room_wanted and sender.unsent <= self.settings.send_buffer // 2:
            self.on_change()
        return self.phase is not Phase.CLOSED

    def _on_data(self, seq: int, payload: bytes) -> None:
        reassembly = self.reassembly
        if self.phase not in (Phase.ESTABLISHED, Phase.FIN_WAIT_1, Phase.FIN_WAIT_2) or self.ended:
            if seq < reassembly.next_number:
                reassembly.twice = (seq, min(seq + len(payload), reassembly.next_number))
                self.acknowledge()
            return
        missing = reassembly.missing
        fresh = reassembly.take(seq, payload)
        if reassembly.twice is not None:
            self.acknowledging.hurry()
        if fresh:
            self.inbox.append(fresh)
            self.unread += len(fresh)
            self._tuning.on_arrival(self.segment)
        self.acknowledging.on_data(
            reassembly.next_number,
            len(payload),
            missing=reassembly.missing,
            closed=(missing and not reassembly.missing) or reassembly.twice is not None,
        )
        if fresh:
            self.on_change()

    def _on_fin(self, end: int | None) -> None:
        """The other end's FIN, when all before it has come; `end`: this segment had one."""
        reassembly = self.reassembly
        if self._fin is not None and not self.ended and reassembly.next_number == self._fin:
            reassembly.next_number += 1
            self.ended = True
            self.acknowledge()
            self._enter(AFTER_THEIRS.get(self.phase, self.phase))
            self.on_change()
        elif end is not None and self.ended:
            self.acknowledge()
            if self.phase is Phase.TIME_WAIT:
                self._linger.set(self.clock.now_ns + _LINGER_NS)

    # -- the end ------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Send a FIN behind what is to be sent; what comes is still taken."""
        if self.phase in CLOSING:
            self.phase = CLOSING[self.phase]
            self.sender.finish()

    def read(self) -> bytes:
        """Take out what has come; tells the other end if that opens the window."""
        data = self.inbox[0] if len(self.inbox) == 1 else b"".join(self.inbox)
        self.inbox.clear()
        self.unread = 0
        self.data_wanted = False
        self._tuning.on_read(len(data), self.segment, self.clock.now_ns)
        window = self._tuning.limit - self.reassembly.buffered
        told = self.told_window - self.reassembly.next_number
        if told < min(2 * self.segment, window) and window >= 2 * max(told, self.segment):
            self.acknowledge()
        return data

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        if phase is Phase.TIME_WAIT:
            self._linger.set(self.clock.now_ns + _LINGER_NS)
        elif phase is Phase.CLOSED:
            self._close()

    def _close(self) -> None:
        """Nothing is left of the connection at this end."""
        self.phase = Phase.CLOSED
        self.sender.stop()
        self.acknowledging.stop()
        self._linger.stop()
        self.on_closed()

    def fail(self, error: Exception) -> None:
        """The connection is broken; what has come may still be read."""
        if self.phase is Phase.CLOSED:
            return
        self.error = error
        self._close()
        self.on_change()
