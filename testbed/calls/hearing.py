"""What a receiver counts of a stream of voice: losses, jitter, silences (RFC 3550, 6.4.1, appendices A.1, A.3, A.8)."""

from __future__ import annotations

from dataclasses import dataclass, field

from testbed.calls.packets import CLOCK_HZ, Block, Report, Rtp, middle


@dataclass(slots=True)
class Hearing:
    """One source's packets as they come; times in seconds of the receiver's clock."""

    source: int = 0
    received: int = 0
    octets: int = 0  #: of payload
    first_s: float = -1.0  #: when the first packet came; negative: none has
    last_s: float = -1.0
    longest_gap_s: float = 0.0  #: between two packets that followed each other
    jitter: float = 0.0  #: in units of the timestamp
    highest: int = 0  #: sequence number, extended
    _base: int = 0
    _transit: float = 0.0
    _reported: tuple[int, int] = (0, 0)  # expected and received, when a report was made last
    _report_at: tuple[int, float] = (0, 0.0)  # the last sender's report: middle of its time, and when it came
    _seen: set[int] = field(default_factory=set)  # of the last numbers, for copies

    def took(self, packet: Rtp, now_s: float) -> None:
        """A packet has come; a copy counts once."""
        number = packet.sequence
        if not self.received:
            self.source, self._base, self.highest = packet.source, number, number
            self.first_s = now_s
        else:
            step = (number - self.highest) & 0xFFFF
            number = self.highest + (step if step < 0x8000 else step - 0x1_0000)
            if number in self._seen or number < self.highest - 1_000:
                return
            self.longest_gap_s = max(self.longest_gap_s, now_s - self.last_s)
        self._seen.add(number)
        if len(self._seen) > 2_000:
            self._seen = {one for one in self._seen if one > number - 1_000}
        self.received += 1
        self.octets += len(packet.payload)
        transit = now_s * CLOCK_HZ - packet.timestamp
        if self.received > 1:
            # timestamps wrap as sequence numbers do; a call is shorter
            self.jitter += (abs(transit - self._transit) - self.jitter) / 16
        self._transit = transit
        self.highest = max(self.highest, number)
        self.last_s = now_s

    def heard_report(self, report: Report, now_s: float) -> None:
        """The source has said when it was."""
        if report.packets:
            self._report_at = (middle(report.sent_s), now_s)

    @property
    def expected(self) -> int:
        return self.highest - self._base + 1 if self.received else 0

    @property
    def lost(self) -> int:
        return self.expected - self.received

    def block(self, now_s: float) -> Block | None:
        """What is reported of it now; None if nothing has come."""
        if not self.received:
            return None
        expected, received = self.expected - self._reported[0], self.received - self._reported[1]
        self._reported = (self.expected, self.received)
        share = 256 * (expected - received) // expected if expected > 0 and expected > received else 0
        last, came_s = self._report_at
        since = int((now_s - came_s) * 65_536) if last else 0
        return Block(self.source, min(255, share), self.lost, self.highest, int(self.jitter), last, since)
