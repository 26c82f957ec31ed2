"""The figures of a report, as SVG: blocked shares, times, and residual censorship.

Colours are Okabe and Ito's, which colour-blind readers can tell apart, and shapes say the same again. It computes no
numbers; `findings` does.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from testbed.attempts import MAIN
from testbed.findings import Cell, ResidualFound, policies_of, targets_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: M. Okabe, K. Ito, "Color Universal Design", 2008
VERMILION, BLUE, GREY, ORANGE = "#D55E00", "#0072B2", "#6b6b6b", "#E69F00"


def shares(found: Sequence[Cell], manifest: dict[str, Any]) -> str:
    """The blocked share of each target under each policy with its Wilson interval."""
    policies, targets = policies_of(manifest), [str(one["name"]) for one in targets_of(manifest)]
    figure = canvas(1.9 + 1.75 * len(policies), 1.2 + 0.28 * len(targets))
    axes = figure.subplots(1, len(policies), sharey=True, squeeze=False)[0]
    for axis, policy in zip(axes, policies, strict=True):
        for cell in (one for one in found if one.policy == policy and one.blocked.n):
            place, share = targets.index(cell.target), cell.blocked
            meant = cell.intended == "blocked"
            colour = VERMILION if meant else BLUE
            axis.plot([100 * share.low, 100 * share.high], [place, place], color=colour, linewidth=2, alpha=0.55)
            axis.plot(100 * share.value, place, "o" if meant else "s", color=colour, markersize=5.5)
        axis.set_title(policy, fontsize=9.5)
        axis.set_xlim(-6, 106)
        axis.set_xticks([0, 50, 100])
        _inward(axis)
        bare(axis)
    axes[0].set_yticks(range(len(targets)), targets)
    axes[0].set_ylim(len(targets) - 0.5, -0.5)
    axes[len(policies) // 2].set_xlabel("blocked, % of attempts (line: 95 % interval)")
    handles = [
        dot("o", VERMILION, "the policy means to block it"),
        dot("s", BLUE, "the policy does not mean to block it"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=8.5)
    return svg(figure)


def times(rows: pd.DataFrame, manifest: dict[str, Any]) -> str:
    """How long each attempt took, to its page or to its failure, by policy."""
    policies = policies_of(manifest)
    main = rows[(rows["phase"] == MAIN) & (rows["fidelity"] == "ok") & (rows["seconds"] > 0)]
    figure = canvas(9.6, 1.3 + 0.5 * len(policies))
    axis = figure.subplots()
    for place, policy in enumerate(policies):
        here = main[main["policy"] == policy]
        for outcome, shape, colour, shift in (("ok", "s", BLUE, -0.17), ("blocked", "o", VERMILION, 0.17)):
            seconds = [float(one) for one in here[here["outcome"] == outcome]["seconds"]]
            # spread in the order of the attempts, not at random: the figure is the same each time it is made
            heights = [place + shift + 0.13 * ((number * 7 % 11) / 5 - 1) for number in range(len(seconds))]
            axis.plot(seconds, heights, shape, color=colour, markersize=3.6, alpha=0.55, markeredgewidth=0)
    axis.set_xscale("log")
    axis.set_yticks(range(len(policies)), policies)
    axis.set_ylim(len(policies) - 0.5, -0.5)
    axis.set_xlabel("seconds from the start of the attempt (logarithmic)")
    _plain_numbers(axis)
    bare(axis)
    handles = [dot("s", BLUE, "to the whole answer"), dot("o", VERMILION, "to the failure")]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=8.5)
    return svg(figure)


def residual(found: Sequence[ResidualFound]) -> str:
    """Each probe after a trigger: when it was made, and whether it was blocked."""
    figure = canvas(9.6, 1.3 + 0.4 * len(found))
    axis = figure.subplots()
    for place, one in enumerate(found):
        blocked = [when for when, hit in one.probes if hit]
        passed = [when for when, hit in one.probes if not hit]
        if blocked:
            axis.plot([min(blocked), max(blocked)], [place, place], color=VERMILION, linewidth=5, alpha=0.25)
        axis.plot(blocked, [place] * len(blocked), "o", color=VERMILION, markersize=6)
        axis.plot(passed, [place] * len(passed), "s", color=BLUE, markersize=6, fillstyle="none", markeredgewidth=1.6)
    axis.set_xscale("log")
    axis.set_yticks(range(len(found)), [one.policy for one in found])
    axis.set_ylim(len(found) - 0.5, -0.5)
    axis.set_xlabel("seconds between the trigger and the probe (logarithmic); each probe from an address of its own")
    _plain_numbers(axis)
    bare(axis)
    handles = [
        dot("o", VERMILION, "innocent name still blocked"),
        dot("s", BLUE, "innocent name got through", hollow=True),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=8.5)
    return svg(figure)


def canvas(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    from matplotlib.figure import Figure  # slow to import; and no pyplot: there is no window

    return Figure(figsize=(width, height), layout="constrained")


def bare(axis: Axes, *, both: bool = False) -> None:
    """Take all ink away that carries no number; `both`: grid lines for both axes."""
    axis.grid(axis="both" if both else "x", color="#dddddd", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(length=0, labelsize=8.5)
    axis.xaxis.label.set_fontsize(8.5)
    for side in axis.spines.values():
        side.set_visible(False)


def _inward(axis: Axes) -> None:
    """Put the first and the last number inside, or they run together with those of the neighbours."""
    numbers = axis.get_xticklabels()
    numbers[0].set_horizontalalignment("left")
    numbers[-1].set_horizontalalignment("right")


def _plain_numbers(axis: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def dot(shape: str, colour: str, label: str, *, hollow: bool = False) -> Any:  # noqa: ANN401  # a matplotlib artist
    """One mark, for a legend."""
    from matplotlib.lines import Line2D

    fill: Literal["none", "full"] = "none" if hollow else "full"
    return Line2D([], [], marker=shape, color=colour, linestyle="", markersize=6, label=label, fillstyle=fill)


def svg(figure: Figure) -> str:
    """The picture as an `<svg>` element, the same bytes each time."""
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "penstock"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]
