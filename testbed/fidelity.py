"""Whether an attempt tells of the policy or of an overloaded machine: the box is asked how it does, all the time.

It asks for numbers of load only, never for decisions: what was observed and what was done are joined in analysis.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from testbed.emulate.outside import LabError
from testbed.result import Fidelity
from testbed.topology import Role, Topology

#: seconds between two questions: short against an attempt that succeeds (0.1 s), and cheap (1 ms each)
INTERVAL_S = 0.25
#: share of a core over a window; above it the box has no time left for the next burst (Mininet-HiFi's limit)
MAX_CPU = 0.8
#: a share of less time than this says nothing: the answer to the question itself would fill it
LEAST_CPU_WINDOW_S = 0.1
#: seconds that the box may add to the slowest packet in a hundred, at the least. What may be added in a lab is half
#: of the round trip between its box and its servers: beyond it an injection loses races that a real one wins
LEAST_ADDED_P99_S = 0.005
#: windows kept: the last 20 minutes, far longer than any attempt
_KEPT = 4800


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How the box did between two questions. Times since 1970-01-01 UTC, in seconds."""

    begin_s: float
    end_s: float
    alive: bool
    drops: int = 0  #: packets lost before the box saw them
    added_p99_s: float | None = None
    cpu_share: float = 0.0

    @property
    def long_enough(self) -> bool:
        """Whether the share of a core means anything."""
        return self.end_s - self.begin_s >= LEAST_CPU_WINDOW_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a row says of its own worth."""

    fidelity: Fidelity
    reason: str = ""
    added_p99_s: float | None = None
    drops: int | None = None


WITHOUT_BOX = Judgement(fidelity=Fidelity.OK)  #: the control: the kernel forwards


class BoxWatch:
    """Asks the box at intervals, and judges any span of time that lies behind.

    `stats` gives what the box measured since it was last called (`alive queue_drops added_p99_s cpu_share`, in the
    words of the box's control socket) and begins a new window; without an answer it gives `{"alive": False}`.
    """

    def __init__(self, stats: Callable[[], Mapping[str, Any]], max_added_s: float = LEAST_ADDED_P99_S) -> None:
        self._stats = stats
        self._max_added_s = max_added_s
        self._windows: deque[Window] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._last_s = time.time()
        self._thread = threading.Thread(target=self._keep_asking, name="box watch", daemon=True)

    def __enter__(self) -> BoxWatch:
        self.ask()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def ask(self) -> Window:
        """Ask now, and keep the answer."""
        with self._lock:
            said = self._stats()
            now_s = time.time()
            added = said.get("added_p99_s")
            window = Window(
                begin_s=self._last_s,
                end_s=now_s,
                alive=bool(said.get("alive", False)),
                drops=int(said.get("queue_drops") or 0),
                added_p99_s=None if added is None else float(added),
                cpu_share=float(said.get("cpu_share") or 0.0),
            )
            self._last_s = now_s
            self._windows.append(window)
            return window

    def judge(self, begin_s: float, end_s: float) -> Judgement:
        """Judge an attempt by the worst of the windows that it overlaps."""
        if self._last_s < end_s:
            self.ask()
        with self._lock:
            windows = [one for one in self._windows if one.end_s >= begin_s and one.begin_s <= end_s]
        return judge(windows, self._max_added_s)

    def load(self) -> dict[str, float | int | None]:
        """The worst of all windows that are kept, for the manifest."""
        with self._lock:
            windows = [one for one in self._windows if one.alive]
        return {
            "added_p99_s": max((one.added_p99_s for one in windows if one.added_p99_s is not None), default=None),
            "cpu_share": max((one.cpu_share for one in windows if one.long_enough), default=None),
            "queue_drops": sum(one.drops for one in windows),
        }

    def _keep_asking(self) -> None:
        while not self._over.wait(INTERVAL_S):
            self.ask()


def most_added_s(topology: Topology) -> float:
    """Seconds that a box may add in this network before its rows are suspect; for several boxes, the strictest."""
    servers = topology.having(Role.WEB)
    boxes = topology.having(Role.BOX)
    delays = [topology.delay(box.name, server.name) for box in boxes for server in servers]
    return max(LEAST_ADDED_P99_S, min(delays, default=0.0))


class Boxed(Protocol):
    """A lab, as far as its boxes can be asked."""

    def box_stats(self, name: str = "box", *, reset: bool = False) -> Mapping[str, Any] | None: ...


def asked(lab: Boxed, boxes: Sequence[str]) -> dict[str, Any]:
    """How the boxes have done since they were last asked; not alive, if the lab is gone."""
    try:
        return worst([lab.box_stats(box, reset=True) or {} for box in boxes])
    except LabError:
        return {"alive": False}


def worst(said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The answers of several boxes in series as if they were one: a packet passes them all."""
    times = [one["added_p99_s"] for one in said if one.get("added_p99_s") is not None]
    return {
        "alive": all(one.get("alive", False) for one in said),
        "queue_drops": sum(one.get("queue_drops") or 0 for one in said),
        "added_p99_s": sum(times) if times else None,
        "cpu_share": max((one.get("cpu_share") or 0.0 for one in said), default=0.0),
    }


def judge(windows: list[Window], max_added_s: float) -> Judgement:
    """The verdict on the windows of one attempt."""
    if not windows or not all(window.alive for window in windows):
        return Judgement(fidelity=Fidelity.NONE, reason="the box did not answer")
    drops = sum(window.drops for window in windows)
    times = [window.added_p99_s for window in windows if window.added_p99_s is not None]
    added = max(times) if times else None
    cpu = max((window.cpu_share for window in windows if window.long_enough), default=0.0)
    why = []
    if drops:
        why.append(f"{drops} packets lost before the box")
    if cpu > MAX_CPU:
        why.append(f"the box took {cpu:.0%} of a core")
    if added is not None and added > max_added_s:
        why.append(f"the box added {added * 1000:.1f} ms to one packet in a hundred")
    return Judgement(
        fidelity=Fidelity.SUSPECT if why else Fidelity.OK, reason="; ".join(why), added_p99_s=added, drops=drops
    )
