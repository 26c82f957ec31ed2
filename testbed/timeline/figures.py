"""The figures of a timeline, as SVG: who had an answer when, what came through when, and which phases were ruled.

Colours are those of `testbed.figures`, and shapes say the same again. It computes no numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from testbed.figures import BLUE, GREY, ORANGE, VERMILION, bare, canvas, dot, svg
from testbed.result import CONTROL
from testbed.timeline.rows import CONNECT, TRANSFER
from testbed.timeline.series import Probe

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_SHADE = "#e4e4e4"


def answers(leg: dict[str, Any], rows: pd.DataFrame, probes: Sequence[Probe], manifest: dict[str, Any]) -> str:
    """One line an actor: when its probes were answered, when not, and when it tried to connect."""
    actors = manifest["scenario"]["actors"]
    begin_s = float(leg["phases"][0][1])
    figure = canvas(9.6, 1.15 + 0.3 * len(actors))
    axis = figure.subplots()
    _phases(axis, leg, manifest, begin_s, len(actors))
    here = rows[(rows["policy"] == leg["policy"]) & (rows["workload"] == CONNECT)]
    for place, actor in enumerate(actors):
        mine = sorted((one for one in probes if one.actor == actor["name"]), key=lambda one: one.t)
        for colour, wanted, width in ((BLUE, True, 7.0), (VERMILION, False, 2.6)):
            spans = _spans(mine, wanted, float(manifest["scenario"]["probe_s"]))
            starts, ends = [one[0] - begin_s for one in spans], [one[1] - begin_s for one in spans]
            axis.hlines([place] * len(spans), starts, ends, color=colour, linewidth=width)
        tries = here[here["subscriber"] == actor["subscriber"]]
        for wanted, shape, colour, size in ((True, "|", "#1d1f21", 11), (False, "x", "#1d1f21", 5.5)):
            told = tries[(tries["outcome"] == "ok") == wanted]
            # a connection that came up is marked where it was up
            ends_s = told["started_s"] + (told["seconds"].fillna(0.0) if wanted else 0.0)
            times = [float(one) - begin_s for one in ends_s]
            axis.plot(times, [place] * len(times), shape, color=colour, markersize=size, markeredgewidth=1.3)
    _finish(axis, leg, [str(one["name"]) for one in actors], begin_s)
    handles = [
        _bar(BLUE, 7.0, "answers come"),
        _bar(VERMILION, 2.6, "no answer"),
        dot("|", "#1d1f21", "connected"),
        dot("x", "#1d1f21", "attempt to connect that failed"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
    return svg(figure)


def doings(leg: dict[str, Any], rows: pd.DataFrame, manifest: dict[str, Any]) -> str:
    """One line for each thing that people do, on each access: each attempt, when and how it ended."""
    lines = _lines(rows, manifest)
    begin_s = float(leg["phases"][0][1])
    figure = canvas(9.6, 1.25 + 0.24 * len(lines))
    axis = figure.subplots()
    _phases(axis, leg, manifest, begin_s, len(lines))
    here = rows[(rows["policy"] == leg["policy"]) & (rows["workload"] == TRANSFER) & (rows["fidelity"] == "ok")]
    for place, (access, through, transfer) in enumerate(lines):
        mine = here[(here["access"] == access) & ((here["tool"] != "") == through) & (here["target"] == transfer)]
        for wanted, shape, colour in ((True, "s", BLUE), (False, "X", VERMILION)):
            told = mine[(mine["outcome"] == "ok") == wanted]
            starts = [float(one) - begin_s for one in told["started_s"]]
            ends = [start + float(one) for start, one in zip(starts, told["seconds"].fillna(0.0), strict=True)]
            axis.hlines([place] * len(starts), starts, ends, color=colour, linewidth=1.2, alpha=0.5)
            axis.plot(ends, [place] * len(ends), shape, color=colour, markersize=4, markeredgewidth=0)
    names = [f"{transfer}, {access}{', VPN' if through else ''}" for access, through, transfer in lines]
    _finish(axis, leg, names, begin_s)
    handles = [dot("s", BLUE, "came through (line: how long it took)"), dot("X", VERMILION, "given up, or failed")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return svg(figure)


def _lines(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[tuple[str, bool, str]]:
    there = rows[rows["workload"] == TRANSFER]
    found = []
    for access in dict.fromkeys(there["access"]):
        for through in (False, True):
            mine = there[(there["access"] == access) & ((there["tool"] != "") == through)]
            done = set(mine["target"])
            names = (str(one["name"]) for one in manifest["scenario"]["transfers"])
            found += [(str(access), through, name) for name in names if name in done]
    return found


def _spans(probes: Sequence[Probe], ok: bool, apart_s: float) -> list[tuple[float, float]]:
    """Neighbouring probes of one result, as stretches; each probe stands for the time until the next one."""
    found: list[tuple[float, float]] = []
    for number, probe in enumerate(probes):
        until = probes[number + 1].t if number + 1 < len(probes) else probe.t + apart_s
        until = min(until, probe.t + 2 * apart_s)
        if probe.ok is not ok:
            continue
        if found and probe.t - found[-1][1] < 1e-6:
            found[-1] = (found[-1][0], until)
        else:
            found.append((probe.t, until))
    return found


def _phases(axis: Axes, leg: dict[str, Any], manifest: dict[str, Any], begin_s: float, lines: int) -> None:
    """Shade the phases in which the policy is awake, and name all of them."""
    ruled = {str(one["name"]) for one in manifest["scenario"]["phases"] if one["ruled"]}
    for number, (name, first_s, last_s) in enumerate(leg["phases"]):
        first, last = float(first_s) - begin_s, float(last_s) - begin_s
        if name in ruled and leg["policy"] != CONTROL:
            axis.axvspan(first, last, color=_SHADE if number % 2 else "#eeeeee", zorder=0, linewidth=0)
        axis.text((first + last) / 2, -0.85, str(name), ha="center", va="bottom", fontsize=8.5, color=GREY)
        if number:
            axis.axvline(first, color=ORANGE, linewidth=0.9, zorder=1)
    axis.set_ylim(lines - 0.5, -0.7)


def _finish(axis: Axes, leg: dict[str, Any], names: Sequence[str], begin_s: float) -> None:
    axis.set_yticks(range(len(names)), list(names))
    axis.set_xlim(0, float(leg["phases"][-1][2]) - begin_s)
    axis.set_xlabel("seconds (shaded: the policy is awake)" if leg["policy"] != CONTROL else "seconds")
    bare(axis)


def _bar(colour: str, width: float, label: str) -> Any:  # noqa: ANN401  # a matplotlib artist
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linewidth=width, label=label)
