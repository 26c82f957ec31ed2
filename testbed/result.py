"""One row an attempt: the values, how they reach the disk as they come, and how they are read again.

Nothing here measures, and no row holds anything that the client could not see, but for the columns that say how far
the row can be trusted (`fidelity`, `box_added_p99_s`, `queue_drops`) and what the policy means to happen (`intended`).
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from testbed.failure import is_failure

if TYPE_CHECKING:
    import pandas as pd

CONTROL = "control"  #: the word in the column `policy` for the run without a policy


class Outcome(Enum):
    """What the client saw."""

    OK = "ok"  #: it got what it asked for
    BLOCKED = "blocked"  #: it got nothing, or not what it asked for; `failure` says how
    THROTTLED = "throttled"  #: it got it, held down to a rate
    DEGRADED = "degraded"  #: it got it, worse than in the control
    NO_RESULT = "no_result"  #: nothing can be said: leave the row out of every share


class Fidelity(Enum):
    """Whether the row tells of the policy or of the machine."""

    OK = "ok"
    SUSPECT = "suspect"  #: the box was overloaded: the effect may be the machine's
    NONE = "none"  #: the box was dead: no result


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt, with every parameter repeated. Times in seconds, rates in bit/s, sizes in bytes.

    The fields up to `queue_drops` are the columns of INTERFACE.md in its order; those after it are further ones.
    """

    run: str
    scenario: str
    backend: str  #: emulate, simulate
    seed: int
    policy: str  #: its name; "control" for none
    subscriber: str  #: the lab's host that asked
    access: str  #: that host's access network
    tool: str  #: circumvention software; "" for none
    workload: str
    target: str
    attempt: int  #: from 1
    phase: str
    started_s: float  #: since 1970-01-01 UTC
    outcome: Outcome
    failure: str  #: OONI's string; "" if there was none
    seconds: float | None  #: the whole attempt: to its success or to its failure
    time_to_first_byte: float | None  #: from the start, names and handshakes included
    goodput: float | None  #: bit/s of content over `seconds`
    bytes: int | None  #: of content
    intended: Outcome | None  #: what the policy means to happen; None, in the files "": that is not known
    fidelity: Fidelity
    fidelity_reason: str = ""
    box_added_p99_s: float | None = None  #: the worst of the box's windows during the attempt; None without a box
    queue_drops: int | None = None  #: packets that the kernel dropped before the box saw them, during the attempt
    address: str = ""  #: the client's own address, fresh for each attempt
    link_means: str = ""  #: what delayed the links: "netem", "delay line", "none"
    connect_s: float | None = None  #: until TCP was connected, from the start
    tls_s: float | None = None  #: until TLS was up, from the start
    after_trigger_s: float | None = None  #: only in the phase "residual": time since the blocked name was asked for
    note: str = ""  #: what else the client saw, for people
    rtt_s: float | None = None  #: median round trip under load, by the kernel of whoever sent the content
    exit_address: str = ""  #: the client's address as the server saw it; through a tool, that of its server
    time_to_tunnel_s: float | None = None  #: until the tool was usable, all its attempts included
    tunnel_attempts: int | None = None  #: how often the tool had to be started until it was usable
    reconnects: int | None = None  #: how often it connected anew, as its log tells
    longest_outage_s: float | None = None  #: the longest time without an answer through the tool
    recovery_s: float | None = None  #: from the end of the policy to the first answer through the tool
    min_rtt_s: float | None = None  #: the least round trip of the connection: without queues
    retransmitted: float | None = None  #: share of the sender's data segments that it had to send again, 0 to 1
    slowed_by: str = ""  #: what carried out a slowing: "kernel", "engine"; "" if there was none

    def __post_init__(self) -> None:
        if not is_failure(self.failure):
            raise ValueError(f"'{self.failure}' is none of OONI's failure strings (see testbed.failure)")
        if self.outcome is Outcome.OK and self.failure:
            raise ValueError(f"an attempt that is ok cannot have the failure '{self.failure}'")
        if self.outcome is Outcome.BLOCKED and not self.failure:
            raise ValueError("an attempt that is blocked needs a failure string")
        if self.fidelity is Fidelity.NONE and self.outcome is not Outcome.NO_RESULT:
            raise ValueError(f"with a dead box there is no result, but the outcome is '{self.outcome.value}'")
        if self.fidelity is not Fidelity.OK and not self.fidelity_reason:
            raise ValueError(f"a fidelity of '{self.fidelity.value}' needs its reason")
        if self.intended is Outcome.NO_RESULT:
            raise ValueError("a policy cannot intend to give no result")
        if self.attempt < 1:
            raise ValueError(f"attempt {self.attempt}: attempts are counted from 1")
        for name in _MEASURES:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}; it must be finite and not negative, or None")

    def as_dict(self) -> dict[str, str | int | float | None]:
        """The row as it stands in `rows.jsonl`, columns in order."""
        values = ((one.name, getattr(self, one.name)) for one in fields(self))
        told = {name: value.value if isinstance(value, Enum) else value for name, value in values}
        return told | {"intended": self.intended.value if self.intended else ""}


_MEASURES = (
    "started_s",
    "seconds",
    "time_to_first_byte",
    "goodput",
    "bytes",
    "box_added_p99_s",
    "queue_drops",
    "connect_s",
    "tls_s",
    "after_trigger_s",
    "rtt_s",
    "min_rtt_s",
    "retransmitted",
    "time_to_tunnel_s",
    "tunnel_attempts",
    "reconnects",
    "longest_outage_s",
    "recovery_s",
)

_WHOLE = ("bytes", "queue_drops", "tunnel_attempts", "reconnects")

COLUMNS = tuple(one.name for one in fields(Row))  #: in the order of the files

_TEXT = tuple(name for name in COLUMNS if name not in (*_MEASURES, "seed", "attempt"))


class RowsFile:
    """`rows.jsonl`, a line as soon as its attempt is over, and at the end the same as `rows.csv`.

    Each line is one write, so a run that is killed keeps whole lines. Not safe for threads: one thread writes.
    """

    def __init__(self, folder: Path) -> None:
        self._csv = folder / "rows.csv"
        self._jsonl = folder / "rows.jsonl"
        self._descriptor = os.open(self._jsonl, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)

    def write(self, row: Row) -> None:
        os.write(self._descriptor, (json.dumps(row.as_dict(), ensure_ascii=False) + "\n").encode())

    def close(self) -> None:
        """Write `rows.csv`; call it also after a failure: what was measured is kept."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            rows = read_rows(self._jsonl.parent)
            rows.astype(dict.fromkeys(_WHOLE, "Int64")).to_csv(self._csv, index=False)  # 60, and not 60.0

    def __enter__(self) -> RowsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


def read_rows(folder: Path) -> pd.DataFrame:
    """The rows of a run folder as a table: texts never missing, numbers NaN where there is none.

    Raises `FileNotFoundError` without `rows.jsonl` and `ValueError` (file, line) for a line that is no row. A last
    line without its end is what a killed run may leave, and is left out.
    """
    import pandas as pd  # slow to import, and only analysis needs it

    path = folder / "rows.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            break
        try:
            one = json.loads(line)
            missing = [name for name in COLUMNS if name not in one]
        except (ValueError, TypeError):
            raise ValueError(f"{path}:{number}: not a JSON object, expected one row of a run") from None
        if missing:
            raise ValueError(f"{path}:{number}: the row has no column '{missing[0]}'")
        found.append(one)
    table = pd.DataFrame(found, columns=[*COLUMNS, *_further(found)])
    for name in _MEASURES:
        table[name] = pd.to_numeric(table[name]).astype(float)
    for name in _TEXT:
        table[name] = table[name].astype(object)
    return table


def _further(rows: list[dict[str, Any]]) -> list[str]:
    """Columns that a newer version may have added."""
    return sorted({name for row in rows for name in row} - set(COLUMNS))
