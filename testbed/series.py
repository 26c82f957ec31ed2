"""A transfer over time: how much content had arrived when; and the file in which a run keeps these, `series.jsonl`.

Values and sums only. What a series means (a policer, a shaper, a stall) is said in `judging`.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

FILE = "series.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Bytes of content that had arrived at the receiver, in all, by some moments."""

    times_s: tuple[float, ...]  #: since the start of the attempt, rising
    bytes: tuple[int, ...]  #: never falling
    from_s: float = 0.0  #: when the content was asked for: names, handshakes and checks lie before it

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.bytes):
            raise ValueError(f"{len(self.times_s)} moments, but {len(self.bytes)} amounts")

    @property
    def end_s(self) -> float:
        return self.times_s[-1] if self.times_s else self.from_s

    def at(self, moment_s: float) -> float:
        """Bytes that had arrived by a moment; between two looks, in proportion."""
        place = bisect_right(self.times_s, moment_s)
        if place == 0:
            return 0.0
        before = float(self.bytes[place - 1])
        if place == len(self.times_s):
            return before
        left, right = self.times_s[place - 1], self.times_s[place]
        return before + (self.bytes[place] - before) * (moment_s - left) / (right - left)

    def goodput(self, skip_s: float) -> float | None:
        """Bit/s of the content after the first `skip_s` of it, or after a third of its time if that is less.

        So a transfer that is over soon is not judged by its last moments.
        """
        begin_s = self.from_s + min(skip_s, (self.end_s - self.from_s) / 3)
        took_s = self.end_s - begin_s
        if took_s <= 0:
            return None
        return 8 * (self.at(self.end_s) - self.at(begin_s)) / took_s

    def rates(self, skip_s: float, bin_s: float) -> list[float]:
        """Bit/s in each whole span of `bin_s` after the first `skip_s` of the content."""
        begin_s = self.from_s + skip_s
        count = int((self.end_s - begin_s) / bin_s + 1e-9)
        edges = [self.at(begin_s + bin_s * number) for number in range(count + 1)]
        return [8 * (right - left) / bin_s for left, right in pairwise(edges)]


class SeriesFile:
    """`series.jsonl` of a run folder: one line an attempt, named like its row. Not safe for threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._descriptor = -1

    def write(self, series: Series, *, policy: str, target: str, phase: str, attempt: int) -> None:
        if self._descriptor < 0:  # runs that measure no transfers have no such file
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        who: dict[str, Any] = {"policy": policy, "target": target, "phase": phase, "attempt": attempt}
        what = {"from_s": series.from_s, "times_s": series.times_s, "bytes": series.bytes}
        os.write(self._descriptor, (json.dumps(who | what) + "\n").encode())

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True)
class Kept:
    """A series as it was kept, with the attempt that it belongs to."""

    policy: str
    target: str
    phase: str
    attempt: int
    series: Series


def read(folder: Path) -> Iterator[Kept]:
    """The series of a run; none if it measured no transfers. A last line without its end is left out."""
    path = folder / FILE
    if not path.exists():
        return
    with path.open() as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            one = json.loads(line)
            series = Series(times_s=tuple(one["times_s"]), bytes=tuple(one["bytes"]), from_s=float(one["from_s"]))
            yield Kept(one["policy"], one["target"], one["phase"], int(one["attempt"]), series)
