"""The figures of a sweep, as SVG: heat maps of two things that are varied, curves of one. It computes no numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from testbed.figures import BLUE, GREY, ORANGE, VERMILION, bare, canvas, dot, svg
from testbed.sweep.backends import Measure
from testbed.sweep.findings import Factor, Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: of Okabe and Ito's colours those that are left, for lines beyond the fourth
_GREEN, _SKY, _PURPLE = "#009E73", "#56B4E9", "#CC79A7"
_LINES = tuple(zip((BLUE, VERMILION, _GREEN, ORANGE, _PURPLE, _SKY, GREY), "osD^vPX", strict=True))
#: panels of one figure; a page shows the first of them and says so
MOST_PANELS = 12
_ABREAST = 3

Panel = tuple[tuple[Factor, int], ...]


def panels(factors: Sequence[Factor]) -> list[Panel]:
    """One panel for each combination of these factors' values."""
    return [
        tuple(zip(factors, numbers, strict=True)) for numbers in product(*(range(factor.count) for factor in factors))
    ]


def heat(found: Findings, measure: Measure, across: Factor, up: Factor) -> str:
    """The measure at each value of `across` with each of `up`; a panel for whatever else is in words."""
    import numpy as np

    shown = panels([one for one in found.words if one.column not in (across.column, up.column)])[:MOST_PANELS]
    grids = []
    for panel in shown:
        values = [
            [found.value(measure, [*panel, (across, x), (up, y)]) for x in range(across.count)] for y in range(up.count)
        ]
        grids.append(np.array([[math.nan if one is None else one.value for one in line] for line in values]))
    known = np.concatenate([grid[~np.isnan(grid)] for grid in grids])
    low, high = (0.0, 1.0) if measure.hit is not None else (known.min(), known.max()) if known.size else (0.0, 1.0)
    columns = min(_ABREAST, len(shown))
    rows = -(-len(shown) // columns)
    figure = canvas(2.2 + columns * max(2.4, 0.62 * across.count), 0.8 + rows * max(1.6, 0.55 + 0.34 * up.count))
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    mesh = None
    for axis, panel, grid in zip(axes.flat, shown, grids, strict=False):
        mesh = axis.pcolormesh(grid, cmap="cividis", vmin=low, vmax=high, edgecolors="white", linewidth=1)
        _written(axis, grid, low, high)
        axis.set_title(", ".join(factor.labels[number] for factor, number in panel), fontsize=9)
        axis.set_xticks([one + 0.5 for one in range(across.count)], across.labels, rotation=30, ha="right")
        axis.set_yticks([one + 0.5 for one in range(up.count)], up.labels)
        bare(axis)
        axis.grid(visible=False)
    for axis in list(axes.flat)[len(shown) :]:
        axis.set_visible(False)
    figure.supxlabel(across.column, fontsize=9)
    figure.supylabel(up.column, fontsize=9)
    if mesh is not None:
        bar = figure.colorbar(mesh, ax=axes, shrink=0.8, format=lambda value, _: short(value))
        bar.ax.tick_params(labelsize=8)
        if bar.solids is not None:
            bar.solids.set_rasterized(False)  # or it would be a bitmap
        bar.outline.set_visible(False)
    return svg(figure)


def curves(found: Findings, measure: Measure, along: Factor) -> str:
    """The measure along one thing, with its interval; a panel for whatever is in words and not told apart by lines."""
    words = [one for one in found.words if one.column != along.column]
    lines = told_apart(found, along)
    shown = panels([one for one in words if one not in lines])[:MOST_PANELS]
    columns = min(_ABREAST, len(shown))
    rows = -(-len(shown) // columns)
    figure = canvas(1.2 + (3.4 if columns > 1 else 6.0) * columns, 0.9 + (2.1 if rows > 1 else 2.6) * rows)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    places = along.places or tuple(float(one) for one in range(along.count))
    for axis, panel in zip(axes.flat, shown, strict=False):
        for number, line in enumerate(panels(lines)):
            colour, shape = _LINES[number % len(_LINES)]
            values = [found.value(measure, [*panel, *line, (along, place)]) for place in range(along.count)]
            there = [(places[place], one) for place, one in enumerate(values) if one is not None]
            xs = [x for x, _ in there]
            axis.fill_between(
                xs, [one.low for _, one in there], [one.high for _, one in there], color=colour, alpha=0.2
            )
            axis.plot(xs, [one.value for _, one in there], f"{shape}-", color=colour, markersize=4.5, linewidth=1.4)
        axis.set_title(", ".join(factor.labels[number] for factor, number in panel), fontsize=9)
        _axis(axis, along, places, share=measure.hit is not None)
    for axis in list(axes.flat)[len(shown) :]:
        axis.set_visible(False)
    figure.supxlabel(along.column, fontsize=9)
    figure.supylabel(measure.about, fontsize=8.5)
    if lines:
        handles = [dot(*_LINES[one % len(_LINES)][::-1], label) for one, label in enumerate(lines[0].labels)]
        figure.legend(
            handles=handles,
            title=lines[0].column,
            loc="outside upper right",
            ncols=4,
            frameon=False,
            fontsize=8.5,
            title_fontsize=8.5,
        )
    return svg(figure)


def told_apart(found: Findings, along: Factor) -> list[Factor]:
    """What the lines of a figure stand for: the policies, or else another parameter; at most one thing."""
    others = [one for one in found.words if one.column == "policy"] + found.parameters
    return [one for one in others if one.column != along.column and one.count <= len(_LINES)][:1]


def _axis(axis: Axes, along: Factor, places: Sequence[float], *, share: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if along.logarithmic:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    if along.places is None:
        axis.set_xticks(list(places), along.labels, rotation=20, ha="right")
    if share:
        axis.set_ylim(-0.04, 1.04)
    else:
        axis.set_ylim(bottom=0)
    bare(axis, both=True)


def _written(axis: Axes, grid: object, low: float, high: float) -> None:
    """The numbers in their cells, dark on light and light on dark."""
    import numpy as np

    for (y, x), value in np.ndenumerate(np.asarray(grid)):
        if math.isnan(value):
            axis.text(x + 0.5, y + 0.5, "no rows", ha="center", va="center", fontsize=7, color=GREY)
            continue
        bright = (value - low) / (high - low) > 0.55 if high > low else False
        axis.text(
            x + 0.5, y + 0.5, short(value), ha="center", va="center", fontsize=7.5, color="black" if bright else "white"
        )


def short(value: float) -> str:
    """Three digits: "0.12", "128 k", "1.5 M"."""
    for least, scale, letter in ((1e9, 1e9, " G"), (1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if abs(value) >= least:
            return f"{value / scale:.3g}{letter}"
    return f"{value:.4g}" if abs(value) >= 1000 else f"{value:.3g}"
