"""What was sent and has not been acknowledged: in flight, selectively acknowledged or lost (RFC 2018, RFC 8985).

It sends nothing and sets no timer. A segment is in exactly one place: in flight, lost and not sent again, or with the
other end; so what is in flight is counted by looking, and cannot leak.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from operator import attrgetter

_by_seq = attrgetter("seq")


class Sent:
    """One segment that was sent; sequence numbers that do not wrap."""

    __slots__ = ("again", "end", "fin", "lost", "payload", "sacked", "sent_ns", "seq")

    def __init__(self, seq: int, payload: bytes, fin: bool) -> None:
        self.seq = seq
        self.end = seq + len(payload) + fin
        self.payload = payload
        self.fin = fin
        self.sent_ns = 0  #: when it was last sent
        self.sacked = False  #: the other end has it, but not all before it
        self.lost = False  #: taken for lost, and not sent again yet
        self.again = False  #: was ever sent again


class Acked:
    """What one acknowledgement told."""

    __slots__ = ("acked", "again", "first_ns", "last_ns", "original", "reordered", "sack_first_ns", "sacked")

    def __init__(self) -> None:
        self.acked = 0  #: segments that it acknowledged, all before it included, and no SACK before it
        self.sacked = 0  #: segments that it selectively acknowledged
        self.again = False  #: one of them was sent more than once
        self.first_ns = self.last_ns = -1  #: when the first and the last of the acknowledged were sent that went once
        self.sack_first_ns = -1
        self.original = False  #: one arrived that was sent once, before the last timeout
        self.reordered = False  #: one arrived after others that were sent after it


class Scoreboard:
    """The segments of one direction, in their order."""

    __slots__ = (
        *("_blocks", "_lost", "delivered", "in_flight", "newest_end", "newest_ns", "newest_rtt_ns", "queue"),
        *("rack_moved", "sacked", "sacked_end", "total_lost"),
    )

    def __init__(self, una: int) -> None:
        self.queue: list[Sent] = []
        self.in_flight: dict[Sent, None] = {}  #: in the order in which they were last sent
        self.sacked = 0  #: how many of the queue are selectively acknowledged
        self.sacked_end = una  #: behind the last of them
        self.delivered = 0  #: segments that have arrived, in all
        self.total_lost = 0  #: segments that were taken for lost, in all
        #: RACK: the segment sent last among those that have arrived (RFC 8985, 6.2 step 2), and its round trip
        self.newest_ns = -1
        self.newest_end = una
        self.newest_rtt_ns = 0
        self.rack_moved = False
        self._lost: list[Sent] = []  # not sent again yet, in the order of their numbers; some may have arrived since
        self._blocks: dict[int, int] = {}  # the blocks of the last acknowledgement

    def add(self, sent: Sent, now_ns: int) -> None:
        """A new segment leaves."""
        sent.sent_ns = now_ns
        self.queue.append(sent)
        self.in_flight[sent] = None

    def resend(self, sent: Sent, now_ns: int) -> None:
        """A segment leaves again."""
        self.in_flight.pop(sent, None)
        sent.lost = False
        sent.again = True
        sent.sent_ns = now_ns
        self.in_flight[sent] = None

    def lose(self, sent: Sent) -> None:
        """Take a segment for lost."""
        if sent.lost or sent.sacked:
            return
        self.in_flight.pop(sent, None)
        sent.lost = True
        self.total_lost += 1
        insort(self._lost, sent, key=_by_seq)

    def forgive(self) -> None:
        """Nothing is lost after all: what was taken for it is only late."""
        late = [sent for sent in self._lost if sent.lost]
        for sent in late:
            sent.lost = False
        self._lost.clear()
        flying = sorted([*self.in_flight, *late], key=attrgetter("sent_ns", "end"))
        self.in_flight = dict.fromkeys(flying)

    def first_lost(self) -> Sent | None:
        """The first segment that must be sent again."""
        lost = self._lost
        while lost:
            if lost[0].lost:
                return lost[0]
            del lost[0]
        return None

    def acknowledge(self, ack: int, now_ns: int, least_rtt_ns: int, high: int, found: Acked) -> None:
        """All before `ack` has arrived; `high`: what was sent when recovery began."""
        queue = self.queue
        count = 0
        for sent in queue:
            if sent.end > ack:
                if sent.seq < ack:  # part of it: what is between has cut the segment
                    sent.payload = sent.payload[ack - sent.seq :]
                    sent.seq = ack
                break
            count += 1
            if sent.sacked:
                self.sacked -= 1
                continue
            found.acked += 1
            if sent.again:
                found.again = True
            else:
                if found.first_ns < 0:
                    found.first_ns = sent.sent_ns
                found.last_ns = sent.sent_ns
                if sent.end <= high:
                    found.original = True
                if sent.seq < self.sacked_end:
                    found.reordered = True
            self.in_flight.pop(sent, None)
            sent.lost = False
            self._arrived(sent, now_ns, least_rtt_ns)
        if count:
            del queue[:count]

    def select(self, blocks: list[tuple[int, int]], now_ns: int, least_rtt_ns: int, high: int, found: Acked) -> None:
        """These blocks have arrived too."""
        queue = self.queue
        before, before_end = self._blocks, self.sacked_end
        self._blocks = dict(blocks)
        for start, end in blocks:
            known = before.get(start, start)
            if known >= end:
                continue
            index = bisect_left(queue, known, key=_by_seq)
            while index < len(queue):
                sent = queue[index]
                if sent.end > end:
                    break
                index += 1
                if sent.sacked:
                    continue
                sent.sacked = True
                sent.lost = False
                self.in_flight.pop(sent, None)
                self.sacked += 1
                found.sacked += 1
                if not sent.again:
                    if found.sack_first_ns < 0:
                        found.sack_first_ns = sent.sent_ns
                    if sent.end <= high:
                        found.original = True
                    if sent.seq < before_end:
                        found.reordered = True
                if sent.end > self.sacked_end:
                    self.sacked_end = sent.end
                self._arrived(sent, now_ns, least_rtt_ns)

    def _arrived(self, sent: Sent, now_ns: int, least_rtt_ns: int) -> None:
        """RFC 8985, 6.2 step 2: is this one sent later than all that have arrived so far?"""
        self.delivered += 1
        rtt_ns = now_ns - sent.sent_ns
        if sent.again and rtt_ns < least_rtt_ns:
            return  # the answer is to what was sent before
        self.rack_moved = True
        self.newest_rtt_ns = rtt_ns
        if sent.sent_ns > self.newest_ns or (sent.sent_ns == self.newest_ns and sent.end > self.newest_end):
            self.newest_ns = sent.sent_ns
            self.newest_end = sent.end

    def find_lost(self, now_ns: int, window_ns: int) -> tuple[int, int, bool]:
        """RFC 8985, 6.2 step 5: what was sent a round trip and `window_ns` before one that has arrived is lost.

        Returns how many are, in what time others will be (0: none), and whether one of them had been sent again.
        """
        newest_ns, newest_end = self.newest_ns, self.newest_end
        late_ns = now_ns - self.newest_rtt_ns - window_ns
        found: list[Sent] = []
        wait_ns = 0
        for sent in self.in_flight:
            if sent.sent_ns > newest_ns or (sent.sent_ns == newest_ns and sent.end >= newest_end):
                break
            if sent.sent_ns <= late_ns:
                found.append(sent)
            else:
                wait_ns = max(wait_ns, sent.sent_ns - late_ns)
        again = False
        for sent in found:
            again = again or sent.again
            self.lose(sent)
        return len(found), wait_ns, again

    def lose_at_timeout(self, now_ns: int, window_ns: int) -> None:
        """The timer has gone off: the head is lost, and all that is older than a round trip (RFC 8985, 6.3)."""
        queue = self.queue
        if queue and queue[0].sacked:  # the other end has thrown away what it had acknowledged (RFC 2018, 8)
            for sent in queue:
                sent.sacked = False
            self.sacked = 0
            self._blocks = {}
            for sent in queue:
                self.lose(sent)
            return
        late_ns = now_ns - self.newest_rtt_ns - window_ns
        for index, sent in enumerate(queue):
            if not sent.sacked and (index == 0 or sent.sent_ns <= late_ns):
                self.lose(sent)
