"""The figures of a throughput report, as SVG: goodputs, content over time, and round trips against loss.

Colours are Okabe and Ito's, and shapes say the same again. It computes no numbers; `findings` and `series` do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from testbed.attempts import MAIN
from testbed.figures import BLUE, GREY, ORANGE, VERMILION, bare, canvas, dot, svg
from testbed.findings import policies_of, targets_of
from testbed.result import CONTROL
from testbed.series import Kept, Series
from testbed.throughput.findings import Cell, of, policy_rates

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: M. Okabe, K. Ito: the rest of their palette that is dark enough on white
GREEN, PURPLE, SKY, BLACK = "#009E73", "#CC79A7", "#56B4E9", "#000000"
_COLOURS = (VERMILION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK)
_SHAPES = ("o", "s", "^", "D", "v", "P", "X")
_DASHES = (0, (4, 2))
#: seconds of a span in the lower row of the figure over time
SPAN_S = 1.0


def goodputs(found: Sequence[Cell], manifest: dict[str, Any]) -> str:
    """The goodput of each target under each policy, the control beside it, and the policy's rate as a line."""
    policies = policies_of(manifest)[1:]
    targets = [str(one["name"]) for one in targets_of(manifest)]
    rates = policy_rates(manifest)
    figure = canvas(2.1 + 1.9 * max(1, len(policies)), 1.35 + 0.36 * len(targets))
    _apart(figure)
    axes = figure.subplots(1, max(1, len(policies)), sharey=True, sharex=True, squeeze=False)[0]
    shown = [one.goodput for one in found if one.goodput and one.goodput.low > 0]
    low = min([one.low for one in shown] + list(rates.values()), default=1e4) / 2
    high = max((one.high for one in shown), default=1e7) * 2
    for axis, policy in zip(axes, policies, strict=False):
        if policy in rates:
            axis.axvline(rates[policy], color=ORANGE, linewidth=1.3, linestyle=(0, (4, 2)), zorder=1)
        for place, target in enumerate(targets):
            _mark(axis, of(found, CONTROL, target), place - 0.16, GREY, "D")
            cell = of(found, policy, target)
            if cell is None or not cell.n:
                continue
            meant = cell.intended != "ok"
            if cell.goodput is None:
                axis.plot(low * 1.25, place + 0.16, "x", color=VERMILION, markersize=6, markeredgewidth=1.8)
            else:
                _mark(axis, cell, place + 0.16, VERMILION if meant else BLUE, "o" if meant else "s")
        axis.set_title(policy, fontsize=9.5)
        axis.set_xscale("log")
        axis.set_xlim(low, high)
        axis.axvspan(low, high, color="#f7f7f7", zorder=0)
        _rate_ticks(axis)
        bare(axis)
    axes[0].set_yticks(range(len(targets)), targets)
    axes[0].set_ylim(len(targets) - 0.5, -0.5)
    figure.supxlabel("goodput, bit/s, logarithmic (line: interval of the median)", fontsize=8.5)
    handles = [
        dot("o", VERMILION, "meant by the policy"),
        dot("s", BLUE, "not meant by the policy"),
        dot("D", GREY, "control"),
        _cross(),
        _line(ORANGE, "the policy's rate"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize=8.5)
    return svg(figure)


def _mark(axis: Axes, cell: Cell | None, height: float, colour: str, shape: str) -> None:
    if cell is None or cell.goodput is None:
        return
    axis.plot([cell.goodput.low, cell.goodput.high], [height, height], color=colour, linewidth=2, alpha=0.55)
    axis.plot(cell.goodput.value, height, shape, color=colour, markersize=5 if shape == "o" else 4.5)


def typical(kept: Sequence[Kept], rows: pd.DataFrame, policy: str, target: str) -> Kept | None:
    """Of the attempts that can be trusted, the one whose goodput (or amount) is the middle one."""
    here = rows[
        (rows["policy"] == policy) & (rows["target"] == target) & (rows["phase"] == MAIN) & (rows["fidelity"] == "ok")
    ].sort_values(["goodput", "bytes", "attempt"])
    if not len(here):
        return None
    number = int(here["attempt"].iloc[(len(here) - 1) // 2])
    return next((one for one in kept if (one.policy, one.target, one.attempt) == (policy, target, number)), None)


def over_time(kept: Sequence[Kept], rows: pd.DataFrame, manifest: dict[str, Any], target: str) -> str:
    """One attempt of each policy, and one of the control: content that had arrived, and the rate at which it came."""
    policies = policies_of(manifest)[1:]
    rates = policy_rates(manifest)
    chosen = {policy: typical(kept, rows, policy, target) for policy in policies}
    control = typical(kept, rows, CONTROL, target)
    slowed = [one.series for one in chosen.values() if one]
    longest = max((one.end_s - one.from_s for one in slowed), default=1.0)
    most = max((one.bytes[-1] / 1000 for one in slowed if one.bytes), default=1.0)
    figure = canvas(1.2 + 2.15 * max(1, len(policies)), 4.4)
    _apart(figure)
    axes = figure.subplots(2, max(1, len(policies)), sharex=True, sharey="row", squeeze=False)
    top = 1.0
    for column, policy in enumerate(policies):
        upper, lower = axes[0][column], axes[1][column]
        upper.set_title(policy, fontsize=9.5)
        if control:
            _content(upper, control.series, GREY, 1.2)
        if policy in rates:
            line = {"color": ORANGE, "linestyle": _DASHES, "linewidth": 1.3}
            upper.plot([0, longest], [0, rates[policy] / 8000 * longest], **line)
            lower.axhline(rates[policy] / 1000, **line)
        one = chosen[policy]
        if one:
            colour = _COLOURS[column % len(_COLOURS)]
            _content(upper, one.series, colour, 1.9)
            spans = [value / 1000 for value in one.series.rates(0, SPAN_S)]
            if spans:
                lower.stairs(spans, [SPAN_S * number for number in range(len(spans) + 1)], color=colour, linewidth=1.5)
                top = max(top, *spans)
        bare(upper, both=True)
        bare(lower, both=True)
    axes[0][0].set_ylim(0, 1.08 * most)
    axes[1][0].set_ylim(0, 1.08 * top)
    axes[0][0].set_xlim(0, longest)
    axes[0][0].set_ylabel("content received, kB", fontsize=8.5)
    axes[1][0].set_ylabel(f"goodput, kbit/s, in spans of {SPAN_S:g} s", fontsize=8.5)
    figure.supxlabel("seconds since the content was asked for", fontsize=8.5)
    handles = [_line(GREY, "control (leaves the panel at its top)", solid=True), _line(ORANGE, "the policy's rate")]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=8.5)
    return svg(figure)


def _content(axis: Axes, series: Series, colour: str, width: float) -> None:
    times = [0.0, *(when - series.from_s for when in series.times_s if when >= series.from_s)]
    axis.plot(times, [series.at(series.from_s + when) / 1000 for when in times], color=colour, linewidth=width)


def _apart(figure: Figure) -> None:
    """Let panels stand clear of each other."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(wspace=0.07)  # type: ignore[call-arg]  # of the constrained layout, which all figures here have


def signatures(rows: pd.DataFrame, manifest: dict[str, Any], targets: Sequence[str]) -> str:
    """Round trips under load against what was sent again: one mark an attempt, one panel a target."""
    policies = policies_of(manifest)
    main = rows[(rows["phase"] == MAIN) & (rows["fidelity"] == "ok") & (rows["failure"] == "")]
    figure = canvas(1.6 + 3.9 * len(targets), 3.9)
    axes = figure.subplots(1, len(targets), sharex=True, sharey=True, squeeze=False)[0]
    most = 5.0
    drawn: dict[str, Any] = {}
    for axis, target in zip(axes, targets, strict=True):
        for place, policy in enumerate(policies):
            here = main[(main["policy"] == policy) & (main["target"] == target)].dropna(
                subset=["rtt_s", "retransmitted"]
            )
            if not len(here):
                continue
            colour = GREY if policy == CONTROL else _COLOURS[(place - 1) % len(_COLOURS)]
            shape = "*" if policy == CONTROL else _SHAPES[(place - 1) % len(_SHAPES)]
            again = [100 * float(one) for one in here["retransmitted"]]
            most = max(most, *again)
            axis.plot(
                [1000 * float(one) for one in here["rtt_s"]],
                again,
                shape,
                color=colour,
                markersize=8 if shape == "*" else 6,
                alpha=0.75,
                markeredgewidth=0,
            )
            drawn[policy] = dot(shape, colour, policy)
        axis.set_title(target, fontsize=9.5)
        axis.set_xscale("log")
        words = {"fontsize": 8.5, "color": GREY, "style": "italic", "transform": axis.transAxes}
        axis.text(0.03, 0.97, "loss without a queue: a policer", va="top", ha="left", **words)
        axis.text(0.97, 0.02, "a queue without loss: a shaper", va="bottom", ha="right", **words)
        _plain_ticks(axis)
        bare(axis, both=True)
    axes[0].set_ylim(-0.17 * most, 1.27 * most)
    axes[0].set_ylabel("data segments sent again, %", fontsize=8.5)
    figure.supxlabel("median round trip under load, ms, logarithmic (both by the sender's kernel)", fontsize=8.5)
    figure.legend(
        handles=list(drawn.values()), loc="outside upper center", ncols=len(drawn), frameon=False, fontsize=8.5
    )
    return svg(figure)


def _rate_ticks(axis: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    def words(value: float, _: object) -> str:
        return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k"

    axis.xaxis.set_major_locator(LogLocator(subs=(1,)))
    axis.xaxis.set_major_formatter(FuncFormatter(words))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _plain_ticks(axis: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _line(colour: str, label: str, *, solid: bool = False) -> Any:  # noqa: ANN401  # a matplotlib artist
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linestyle="-" if solid else _DASHES, linewidth=1.4, label=label)


def _cross() -> Any:  # noqa: ANN401  # a matplotlib artist
    from matplotlib.lines import Line2D

    return Line2D(
        [],
        [],
        marker="x",
        color=VERMILION,
        linestyle="",
        markersize=6,
        markeredgewidth=1.8,
        label="nothing got through",
    )
