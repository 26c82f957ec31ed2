"""Which rows count for a phase, and what several of them say together.

A row belongs to the phase in which it lies, but for a moment: a transfer that was begun before a policy woke up says
nothing of either time. Rows of less than full fidelity are counted, and left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.stats import Median, Share, middle, wilson

if TYPE_CHECKING:
    import pandas as pd

#: share of a row's time that must lie in a phase for it to count there
_MOSTLY = 0.9
#: the same for one that failed: what it waited for came no sooner because a part of it lies elsewhere
_FAILED_MOSTLY = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some transfers taken together."""

    ok: Share
    seconds: Median | None  #: of those that came through
    goodput: float | None  #: bit/s, median of those that came through
    left_out: int  #: rows that cannot be trusted
    failures: tuple[str, ...]  #: the strings, the most frequent first


def group(rows: pd.DataFrame) -> Group:
    """All of these rows as one."""
    good = rows[rows["fidelity"] == "ok"]
    passed = good[good["outcome"] == "ok"]
    rates = [float(one) for one in passed["goodput"].dropna()]
    failed = good[good["failure"] != ""]["failure"].value_counts()
    middle_rate = middle(rates)
    return Group(
        ok=wilson(len(passed), len(good)),
        seconds=middle(float(one) for one in passed["seconds"].dropna()),
        goodput=middle_rate.value if middle_rate else None,
        left_out=len(rows) - len(good),
        failures=tuple(str(one) for one in failed.index),
    )


def placed(rows: pd.DataFrame, manifest: dict[str, Any]) -> pd.DataFrame:
    """The rows with a further column `in_phase`: the phase in which they count, or "" for none.

    `repeat` is the leg of several under the same policy that a row belongs to, `since_s` its start within the phase.
    """
    spans: dict[str, list[tuple[str, float, float]]] = {}
    for leg in manifest["legs"]:
        spans.setdefault(str(leg["policy"]), []).extend(
            (str(name), float(begin), float(end)) for name, begin, end in leg.get("phases", ())
        )
    found, since = [], []
    for policy, begin, seconds, phase, outcome in zip(
        rows["policy"], rows["started_s"], rows["seconds"].fillna(0.0), rows["phase"], rows["outcome"], strict=True
    ):
        mostly = _FAILED_MOSTLY if outcome == "blocked" else _MOSTLY
        name, start = _phase(spans.get(str(policy), ()), float(begin), float(seconds), str(phase), mostly)
        found.append(name)
        since.append(float(begin) - start)
    return rows.assign(in_phase=found, since_s=since)


def _phase(
    spans: Sequence[tuple[str, float, float]], begin_s: float, seconds: float, otherwise: str, mostly: float
) -> tuple[str, float]:
    if not spans:  # the leg was cut off: the row's own word must do
        return otherwise, begin_s
    end_s = begin_s + max(seconds, 0.001)
    for name, start_s, stop_s in spans:
        shared = min(end_s, stop_s) - max(begin_s, start_s)
        if shared / (end_s - begin_s) >= mostly:
            return name, start_s
    return "", begin_s
