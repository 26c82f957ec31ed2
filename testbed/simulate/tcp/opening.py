"""How a connection begins: the three segments of the handshake, and what they agree on (RFC 9293, 3.5).

SYNs are sent again as Linux does. Nothing here waits; what a program sees is in `stream`.
"""

from __future__ import annotations

from middlebox.packet import ACK, RST, SYN
from testbed.simulate.tcp.connection import Machine
from testbed.simulate.tcp.phase import Phase
from testbed.simulate.tcp.round_trips import MS
from testbed.simulate.tcp.segment import MASK, Segment, unwrapped
from testbed.simulate.tcp.timer import Timer

#: Linux since 6.5: four SYNs a second apart, then each time twice as long (tcp_syn_linear_timeouts, tcp_syn_retries)
_SYN_WAITS_NS = tuple(seconds * 1_000 * MS for seconds in (1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64))
#: SYN+ACKs: each time twice as long (tcp_synack_retries)
_SYN_ACK_WAITS_NS = tuple(seconds * 1_000 * MS for seconds in (1, 2, 4, 8, 16, 32))
#: bytes that timestamps take off each segment's payload
_TIMES_SIZE = 12


class Opening:
    """The beginning of one end."""

    def __init__(self, machine: Machine, *, family: int) -> None:
        self.machine = machine
        self.window_scaled = True  #: both ends scale their windows
        self._tries = 0
        self._asked_ns = 0
        self._timer = Timer(machine.clock, self._again)
        self._own_segment = machine.settings.segment - (20 if family == 6 else 0)

    def ask(self) -> None:
        """Send the SYN."""
        self._asked_ns = self.machine.clock.now_ns
        self._send(SYN)

    def answer(self, segment: Segment) -> None:
        """Answer a SYN."""
        machine = self.machine
        machine.phase = Phase.SYN_RECEIVED
        self._agree(segment)
        self._asked_ns = machine.clock.now_ns
        self._send(SYN | ACK)

    def handle(self, segment: Segment) -> bool:
        """Take a segment of the handshake; True if the connection stands now."""
        if self.machine.phase is Phase.SYN_SENT:
            return self._on_answer(segment)
        return self._on_last(segment)

    def stop(self) -> None:
        self._timer.stop()

    def _on_answer(self, segment: Segment) -> bool:
        """RFC 9293, 3.10.7.3."""
        machine, flags = self.machine, segment.flags
        if flags & ACK and segment.ack != (machine.begin + 1) & MASK:
            if not flags & RST:
                machine.send_out(Segment(machine.local_port, machine.remote_port, segment.ack, 0, RST, 0))
            return False
        if flags & RST:
            if flags & ACK:
                machine.fail(ConnectionRefusedError("connection refused"))
            return False
        if not flags & SYN:
            return False
        self._agree(segment)
        if not flags & ACK:  # both have asked at once
            machine.phase = Phase.SYN_RECEIVED
            self._tries = 0
            self._send(SYN | ACK)
            return False
        self._stand(segment, segment.window)
        machine.acknowledge()
        return True

    def _on_last(self, segment: Segment) -> bool:
        """RFC 9293, 3.10.7.4, for a connection that was answered."""
        machine, flags = self.machine, segment.flags
        expected = machine.reassembly.next_number
        seq = unwrapped(segment.seq, expected)
        if flags & RST:
            if seq == expected:
                machine.fail(ConnectionResetError("connection reset by peer"))
            return False
        if flags & SYN:
            if seq != expected - 1:
                return False
            if flags & ACK and segment.ack == (machine.begin + 1) & MASK:  # both have asked at once
                self._stand(segment, segment.window)
                machine.acknowledge()
                return True
            self._send(SYN | ACK, again=True)
            return False
        if not flags & ACK or not expected <= seq <= expected + machine.settings.first_window:
            return False
        if segment.ack != (machine.begin + 1) & MASK:
            machine.send_out(Segment(machine.local_port, machine.remote_port, segment.ack, 0, RST, 0))
            return False
        self._stand(segment, segment.window << machine.send_scale)
        machine.handle(segment)
        return machine.phase is not Phase.CLOSED

    def _agree(self, segment: Segment) -> None:
        """What the other end's SYN says."""
        machine = self.machine
        machine.reassembly.next_number = machine.acknowledging.told = segment.seq + 1
        machine.told_window = segment.seq + 1 + min(machine.settings.first_window, 0xFFFF)
        machine.times.used = machine.times.used and segment.times is not None
        machine.with_sack = machine.with_sack and segment.sack_permitted
        if segment.times is not None:
            machine.times.recent = segment.times[0]
        self.window_scaled = segment.window_scale is not None
        machine.send_scale = segment.window_scale or 0
        machine.segment = min(segment.mss or 536, self._own_segment) - (_TIMES_SIZE if machine.times.used else 0)
        machine.sender.mss = machine.segment

    def _stand(self, segment: Segment, window: int) -> None:
        machine = self.machine
        self._timer.stop()
        machine.phase = Phase.ESTABLISHED
        if self.window_scaled:
            machine.receive_scale = machine.settings.window_scale
        sender = machine.sender
        sender.window_end = sender.una + window
        if self._tries == 1:  # else it is not known which SYN was answered (Karn's rule)
            sender.round_trips.take(machine.clock.now_ns - self._asked_ns, sender.una, sender.next_number)
        elif self._tries > 2:
            sender.window.packets = 1  # more than one was lost (Linux; RFC 6298, 5.7 has a like rule for the timeout)

    def _send(self, flags: int, *, again: bool = False) -> None:
        machine = self.machine
        if not again:
            waits = _SYN_WAITS_NS if machine.phase is Phase.SYN_SENT else _SYN_ACK_WAITS_NS
            self._timer.set(machine.clock.now_ns + waits[self._tries])
            self._tries += 1
        scale: int | None = machine.settings.window_scale
        if flags & ACK and not self.window_scaled:
            scale = None
        machine.send_out(
            Segment(
                machine.local_port,
                machine.remote_port,
                machine.begin,
                machine.reassembly.next_number & MASK if flags & ACK else 0,
                flags,
                min(machine.settings.first_window, 0xFFFF),
                times=machine.times.stamp(),
                mss=self._own_segment,
                window_scale=scale,
                sack_permitted=machine.with_sack,
            )
        )

    def _again(self) -> None:
        machine = self.machine
        asks = machine.phase is Phase.SYN_SENT
        if self._tries >= len(_SYN_WAITS_NS if asks else _SYN_ACK_WAITS_NS):
            machine.fail(TimeoutError("connection timed out"))
            return
        self._send(SYN if asks else SYN | ACK)
