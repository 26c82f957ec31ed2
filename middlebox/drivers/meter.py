"""Measures the box: how long packets stay in it, how long the censor thinks, how late it lets held packets go.

Counts and durations alone; what they mean for a result is judged by whoever asks. The memory is bounded: durations
are kept as counts per bucket, each bucket 1.6 % wide or less, never as a list.
"""

from __future__ import annotations

import time

#: buckets per doubling of the duration: 64 make them 1/64 = 1.6 % wide
_SUB_BITS = 6
#: durations at or above 2^40 ns (18 minutes) share the last bucket
_MAX_BITS = 40
_BUCKETS = (_MAX_BITS - _SUB_BITS + 1) << _SUB_BITS

#: windows that callers may have open at once; the one that was opened first goes first
MAX_WINDOWS = 256


class Durations:
    """Counts of durations in nanoseconds, in buckets whose width grows with the duration."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = [0] * _BUCKETS

    def add(self, duration_ns: int) -> None:
        """Count one duration; a negative one counts as 0."""
        if duration_ns < 0:
            duration_ns = 0
        shift = duration_ns.bit_length() - _SUB_BITS - 1
        if shift <= 0:
            self.counts[duration_ns] += 1
        elif shift < _MAX_BITS - _SUB_BITS:
            # the upper 7 bits: a leading one, which the shift already tells, and 6 that pick the bucket
            self.counts[(shift << _SUB_BITS) + (duration_ns >> shift)] += 1
        else:
            self.counts[-1] += 1

    def quantiles(self, shares: tuple[float, ...], before: list[int] | None = None) -> list[int | None]:
        """The durations below which these shares lie, in rising order of share; None if nothing was counted.

        `before`: an earlier copy of `counts`; only what came after it is looked at.
        """
        counts = self.counts if before is None else [now - then for now, then in zip(self.counts, before, strict=True)]
        total = sum(counts)
        if not total:
            return [None] * len(shares)
        found: list[int | None] = []
        wanted = [max(1.0, share * total) for share in shares]
        running = 0
        for index, count in enumerate(counts):
            running += count
            while len(found) < len(wanted) and running >= wanted[len(found)]:
                found.append(_middle(index))
            if len(found) == len(wanted):
                break
        return found


def _middle(index: int) -> int:
    """The middle of a bucket, in nanoseconds."""
    if index < 2 << _SUB_BITS:
        return index
    shift = (index >> _SUB_BITS) - 1
    low = ((1 << _SUB_BITS) + (index & ((1 << _SUB_BITS) - 1))) << shift
    return low + (1 << shift >> 1)


class _Since:
    """Everything as it stood when a window began."""

    __slots__ = ("added", "cpu_s", "decide", "drops", "elapsed_s", "late", "packets", "t_ns")

    def __init__(self, meter: Meter, now_ns: int, drops: int) -> None:
        self.t_ns = now_ns
        self.elapsed_s = time.monotonic()
        self.cpu_s = time.process_time()
        self.packets = meter.packets
        self.drops = drops
        self.added = meter.added.counts.copy()
        self.decide = meter.decide.counts.copy()
        self.late = meter.late.counts.copy()


class Meter:
    """What the box counts since its start, and windows on it that callers open and close."""

    __slots__ = ("_windows", "added", "decide", "late", "packets", "start")

    def __init__(self, now_ns: int) -> None:
        self.packets = 0
        self.added = Durations()  #: from a packet's arrival in the box to the verdict, without what a policy holds back
        self.decide = Durations()  #: the engine alone
        self.late = Durations()  #: from when a held packet or a delayed injection was due to when it left
        self.start = _Since(self, now_ns, 0)
        self._windows: dict[str, _Since] = {}

    def read(self, window: str, now_ns: int, drops: int, *, reset: bool) -> dict[str, int | float | None]:
        """The figures of one window; `reset` begins it anew after reading.

        `drops`: packets that never reached the censor, since the box's start. A window that was never reset began
        with the box.
        """
        since = self._windows.get(window, self.start)
        elapsed_s = time.monotonic() - since.elapsed_s
        busy_s = time.process_time() - since.cpu_s
        added50, added99 = self.added.quantiles((0.5, 0.99), since.added)
        decide50, decide99 = self.decide.quantiles((0.5, 0.99), since.decide)
        (late99,) = self.late.quantiles((0.99,), since.late)
        figures: dict[str, int | float | None] = {
            "since": since.t_ns,
            "seconds": round(elapsed_s, 6),
            "packets": self.packets - since.packets,
            "queue_drops": drops - since.drops,
            "added_p50_s": _seconds(added50),
            "added_p99_s": _seconds(added99),
            "decide_p50_s": _seconds(decide50),
            "decide_p99_s": _seconds(decide99),
            "late_p99_s": _seconds(late99),
            "cpu_share": round(busy_s / elapsed_s, 4) if elapsed_s > 0 else 0.0,
        }
        if reset:
            self._windows.pop(window, None)
            if len(self._windows) >= MAX_WINDOWS:
                del self._windows[next(iter(self._windows))]
            self._windows[window] = _Since(self, now_ns, drops)
        return figures


def _seconds(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / 1e9
