"""The two ends of a call, without sockets and clocks: `take` a datagram, ask what is `due`, and come again at `next_s`.

The caller asks the relay where it is (STUN), then both send voice and reports until the caller says BYE. The relay's
voice is a stream of its own, as that of the person at the other end. Times are seconds of the owner's clock.
"""

from __future__ import annotations

from random import Random
from statistics import median
from typing import Any

from testbed.calls.hearing import Hearing
from testbed.calls.packets import (
    CLOCK_HZ,
    REQUEST,
    SUCCESS,
    Report,
    Rtp,
    Stun,
    middle,
    read_rtcp,
    read_rtp,
    read_stun,
    rtcp,
    rtp,
    stun,
)

PORT = 3_478
#: seconds between packets, and bytes of each: Opus at 32 kbit/s, and the tag of SRTP (RFC 3711, 8.2)
FRAME_S, PAYLOAD = 0.02, 80 + 10
#: seconds between reports
REPORT_S = 1.0
#: seconds after which a STUN request is sent again, doubled each time, and how often (RFC 8489, 6.2.1)
_AGAIN_S, _MOST = 0.5, 7
#: seconds that the last report is waited for, after which a BYE is sent again, and after which a relay forgets a caller
_LAST_S, _BYE_S, _FORGET_S = 1.0, 0.3, 10.0
#: seconds of silence at its end by which a call has broken off
CEASED_S = 3.0


#: seconds of floating point may fall short of the moment that was waited for
_SLACK_S = 1e-6


class _Talk:
    """Voice one way, hearing the other."""

    def __init__(self, random: Random, begin_s: float) -> None:
        self.hearing = Hearing()
        self.sent = 0
        self.rtts_s: list[float] = []
        self.theirs: Report | None = None  #: the last report on our voice
        self.over = False  #: nothing is sent any more
        self.heard_of_us_s = -1.0  #: when a report last told of more of our packets
        self._random = random
        self._source = random.getrandbits(32)
        self.first, self._stamp = random.getrandbits(16), random.getrandbits(32)
        self._begin_s = begin_s
        self._reports = 0

    @property
    def next_s(self) -> float:
        return min(self._begin_s + self.sent * FRAME_S, self._begin_s + (self._reports + 0.5) * REPORT_S)

    def due(self, now_s: float) -> list[bytes]:
        """What has to be sent by now."""
        made: list[bytes] = []
        now_s += _SLACK_S
        while self._begin_s + self.sent * FRAME_S <= now_s:
            stamp = self._stamp + round(self.sent * FRAME_S * CLOCK_HZ)
            payload = self._random.randbytes(PAYLOAD)
            made.append(rtp(Rtp(self.first + self.sent, stamp, self._source, payload)))
            self.sent += 1
        while self._begin_s + (self._reports + 0.5) * REPORT_S <= now_s:
            self._reports += 1
            made.append(rtcp(self.report(now_s)))
        return made

    def report(self, now_s: float, *, bye: bool = False) -> Report:
        stamp = self._stamp + round((now_s - self._begin_s) * CLOCK_HZ)
        block = self.hearing.block(now_s)
        return Report(self._source, now_s, stamp, self.sent, self.sent * PAYLOAD, block, bye)

    def take(self, data: bytes, now_s: float) -> Report | None:
        """Voice or a report has come; the report is given back."""
        voice = read_rtp(data)
        if voice is not None:
            self.hearing.took(voice, now_s)
            return None
        report = read_rtcp(data)
        if report is None:
            return None
        self.hearing.heard_report(report, now_s)
        block = report.block
        if block is not None and block.source == self._source:
            before = self.theirs.block.highest if self.theirs is not None and self.theirs.block is not None else -1
            if block.highest != before:
                self.heard_of_us_s = now_s
            self.theirs = report
            if block.last:
                waited = (middle(now_s) - block.last - block.since) & 0xFFFF_FFFF
                if waited < 1 << 31:  # else clocks or counts are wrong by less than nothing
                    self.rtts_s.append(waited / 65_536)
        return report


class Caller:
    """The caller's end, of a call of so many seconds; `over` when there is nothing more to do."""

    def __init__(self, random: Random, seconds: float, limit_s: float, now_s: float) -> None:
        self.over = False
        self._random = random
        self._ident = random.randbytes(12)
        self._seconds, self._begin_s, self._end_s = seconds, now_s, now_s + limit_s
        self._asked = 0
        self._connected_s = -1.0
        self._talk: _Talk | None = None
        self._byes = 0
        self._answered = False

    @property
    def next_s(self) -> float:
        """When `due` has something again."""
        if self._talk is None:
            again_s = self._begin_s + _AGAIN_S * (2**self._asked - 1) if self._asked < _MOST else self._end_s
            return min(again_s, self._end_s)
        stop_s = self._connected_s + self._seconds
        return min(self._talk.next_s, stop_s) if not self._byes else stop_s + self._byes * _BYE_S

    def due(self, now_s: float) -> list[bytes]:
        """What has to be sent by now."""
        if self.over:
            return []
        if now_s + _SLACK_S < self.next_s:
            return []
        if self._talk is None:
            if now_s + _SLACK_S >= self._end_s:
                self.over = True
                return []
            self._asked += 1
            return [stun(Stun(REQUEST, self._ident))]
        if now_s + _SLACK_S < self._connected_s + self._seconds:
            return self._talk.due(now_s)
        if self._byes * _BYE_S >= _LAST_S:
            self.over = True
            return []
        self._byes += 1
        return [rtcp(self._talk.report(now_s, bye=True))]

    def take(self, data: bytes, now_s: float) -> None:
        """A datagram has come from the relay."""
        if self._talk is None:
            answer = read_stun(data)
            if answer is not None and answer.kind == SUCCESS and answer.ident == self._ident:
                self._connected_s = now_s
                self._talk = _Talk(self._random, now_s)
            return
        report = self._talk.take(data, now_s)
        if report is not None and report.bye and self._byes:
            self.over = True

    def told(self, now_s: float) -> dict[str, Any]:
        """What came of it; times in seconds since the call began, None for what never was.

        `silent_s`, `unheard_s`: how long at the end nothing came, and no report told that more of ours had come.
        """
        talk = self._talk
        if talk is None:
            return {"connect_s": None, "received": 0}
        hearing, stop_s = talk.hearing, self._connected_s + self._seconds
        block = talk.theirs.block if talk.theirs is not None else None
        heard = (block.highest - talk.first + 1 - block.lost) if block is not None else 0
        return {
            "connect_s": self._connected_s - self._begin_s,
            "first_voice_s": hearing.first_s - self._begin_s if hearing.received else None,
            "received": hearing.received,
            "octets": hearing.octets,
            "expected": round(self._seconds / FRAME_S),
            "sent": talk.sent,
            "heard": heard,
            "jitter_s": hearing.jitter / CLOCK_HZ,
            "far_jitter_s": block.jitter / CLOCK_HZ if block is not None else None,
            "rtt_s": median(talk.rtts_s) if talk.rtts_s else None,
            "least_rtt_s": min(talk.rtts_s, default=None),
            "longest_gap_s": hearing.longest_gap_s,
            "silent_s": stop_s - max(hearing.last_s, self._connected_s),
            "unheard_s": stop_s - max(talk.heard_of_us_s, self._connected_s),
            "voice_s": max(0.0, hearing.last_s - hearing.first_s) + FRAME_S if hearing.received else 0.0,
            "seconds": now_s - self._begin_s,
        }


#: where a caller is: its address and port
Peer = tuple[str, int]


class Relay:
    """The relay: answers STUN, and is the other end of whoever speaks to it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._talks: dict[Peer, _Talk] = {}
        self._spoke_s: dict[Peer, float] = {}

    @property
    def next_s(self) -> float | None:
        """When `due` has something again; None while nobody calls."""
        return min((talk.next_s for talk in self._talks.values() if not talk.over), default=None)

    def take(self, data: bytes, peer: Peer, now_s: float) -> list[bytes]:
        """A datagram has come; what is answered at once."""
        asked = read_stun(data)
        if asked is not None:
            return [stun(Stun(SUCCESS, asked.ident, peer))] if asked.kind == REQUEST else []
        talk = self._talks.get(peer)
        if talk is None:
            if read_rtp(data) is None:
                return []
            talk = self._talks[peer] = _Talk(self._random, now_s)
        self._spoke_s[peer] = now_s
        report = talk.take(data, now_s)
        if report is None or not report.bye:
            return []
        talk.over = True  # and kept for a while, should the last report be lost
        return [rtcp(talk.report(now_s, bye=True))]

    def due(self, now_s: float) -> list[tuple[bytes, Peer]]:
        """What has to be sent by now, and to whom."""
        made: list[tuple[bytes, Peer]] = []
        for peer, talk in list(self._talks.items()):
            if now_s - self._spoke_s[peer] > _FORGET_S:
                del self._talks[peer], self._spoke_s[peer]
                continue
            if not talk.over:
                made += [(data, peer) for data in talk.due(now_s)]
        return made
