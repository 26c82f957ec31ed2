"""The probes of a leg: `series.jsonl`, one line a probe as soon as it is over, and what they say of a stretch of time.

A probe tells only whether an answer came through, from where and how fast. It never says why; rows do.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from testbed.tool import Via


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question to a server abroad. Times in seconds since 1970-01-01 UTC."""

    actor: str
    t: float  #: when it was asked
    ended: float  #: when it was answered, or given up
    ok: bool  #: answered, and from the exit that it should come from
    seconds: float | None = None  #: to the answer, connection included
    rtt: float | None = None  #: to the second answer over the same connection
    exit: str = ""  #: the client's address as the server saw it
    why: str = ""  #: why there was no answer


def read_probe(actor: str, line: str, exit: str) -> Probe | None:
    """A line of `prober`; None for half a line. An answer that came past the tool does not count as one."""
    try:
        said: Mapping[str, Any] = json.loads(line)
        ok, came_from = bool(said["ok"]), str(said.get("exit", ""))
        past = ok and exit != "" and came_from != exit
        return Probe(
            actor=actor,
            t=float(said["t"]),
            ended=float(said["ended"]),
            ok=ok and not past,
            seconds=said.get("seconds"),
            rtt=None if past else said.get("rtt"),
            exit=came_from,
            why="came from another address" if past else str(said.get("why", "")),
        )
    except (ValueError, KeyError, TypeError):
        return None


class Series:
    """All probes of a leg, in memory and on the disk. Safe for threads."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._probes: dict[str, list[Probe]] = {}
        self._lock = threading.Lock()

    def add(self, probe: Probe) -> None:
        with self._lock:
            self._probes.setdefault(probe.actor, []).append(probe)
            if self._file >= 0:
                os.write(self._file, (json.dumps(asdict(probe)) + "\n").encode())

    def of(self, actor: str) -> list[Probe]:
        with self._lock:
            return list(self._probes.get(actor, ()))

    def last_ok_s(self, actor: str) -> float:
        """When the latest good answer had come; 0 if there was none."""
        with self._lock:
            return max((one.ended for one in self._probes.get(actor, ())[-40:] if one.ok), default=0.0)

    def close(self) -> None:
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1


def read_series(path: Path) -> list[Probe]:
    """The probes of a run folder's leg; half a line at the end, which a killed run may leave, is left out."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines(keepends=True)
    return [Probe(**json.loads(line)) for line in lines if line.endswith("\n")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What an actor's probes say of a stretch of time."""

    probes: int
    good: int  #: of them answered
    longest_outage_s: float  #: without an answer, less the time between two probes
    rtt_s: float | None  #: median
    exit: str  #: the commonest
    why: str  #: the commonest

    @property
    def answered(self) -> float:
        """Share."""
        return self.good / self.probes if self.probes else 0.0


def stretch(probes: Iterable[Probe], begin_s: float, end_s: float, apart_s: float) -> Stretch:
    """Judge the probes that were asked within a stretch; one without any is an outage from end to end."""
    inside = sorted((one for one in probes if begin_s <= one.t < end_s), key=lambda one: one.t)
    good = [one for one in inside if one.ok]
    times = [begin_s, *(one.t for one in good), end_s]
    gap = max(after - before for before, after in itertools.pairwise(times))
    whys = Counter(one.why for one in inside if one.why)
    exits = Counter(one.exit for one in inside if one.exit)
    return Stretch(
        probes=len(inside),
        good=len(good),
        # the next answer comes a probe later at best
        longest_outage_s=round(max(0.0, min(gap, end_s - begin_s) - 2 * apart_s), 3) if good else end_s - begin_s,
        rtt_s=median(one.rtt for one in good if one.rtt is not None) if any(one.rtt for one in good) else None,
        exit=exits.most_common(1)[0][0] if exits else "",
        why=whys.most_common(1)[0][0] if whys else "",
    )


def recovery_s(probes: Iterable[Probe], end_of_policy_s: float) -> float | None:
    """From the policy's end to the first answer to a question asked after it; None if none came."""
    after = [one.ended for one in probes if one.ok and one.t >= end_of_policy_s]
    return round(max(0.0, min(after) - end_of_policy_s), 3) if after else None


Starter = Callable[[Via], "Probing"]


class Probing:
    """A prober that runs on a host: its lines are read by a thread, until `close`."""

    def __init__(self, start: Callable[[int], Any], *, actor: str, exit: str, series: Series) -> None:
        """`start` starts the prober with its standard output at this open file, and returns the command."""
        self._exit, self._actor, self._series = exit, actor, series
        out, end = os.pipe()
        try:
            self._command = start(end)
        except BaseException:
            os.close(out)
            raise
        finally:
            os.close(end)
        self._thread = threading.Thread(target=self._read, args=(out,), name=f"probes of {actor}", daemon=True)
        self._thread.start()

    def _read(self, out: int) -> None:
        with os.fdopen(out) as lines:
            for line in lines:
                probe = read_probe(self._actor, line, self._exit)
                if probe:
                    self._series.add(probe)

    def close(self) -> None:
        self._command.close()
        self._thread.join(5.0)
