"""Transfers on both backends: outcomes are of the same class, and policed and shaped goodput is the same within 5 %.

Medians of a cell's attempts on both sides. Under a policer or a shaper goodput differs by at most 5 % in the median of
the cells and 10 % in the worst; ratios to the control differ by at most five hundredths of the control. What is left to
chance or to the machine (random loss, an unslowed line) is told and not judged beyond its outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from experiments.agreement.common import drawing, manifests, markdown, save
from testbed.result import read_rows
from testbed.throughput.findings import Cell, cells
from testbed.throughput.telling import rate

#: by which shares goodput under a rate may differ, in the median of all cells and in the worst
MEDIAN, WORST = 0.05, 0.10
#: by how much of the control two ratios to it may differ
RATIO = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A cell of the table."""

    emulated: Cell
    simulated: Cell

    @property
    def same_outcome(self) -> bool:
        return self.emulated.outcome == self.simulated.outcome

    @property
    def apart(self) -> float | None:
        """By which share goodput is more in virtual time; None where one side has none."""
        one, other = self.emulated.goodput, self.simulated.goodput
        return other.value / one.value - 1 if one and other and one.value else None

    @property
    def held(self) -> bool:
        """Whether a rate of the policy holds it on both sides."""
        return self.emulated.rate is not None and self.apart is not None

    @property
    def ratios(self) -> tuple[float, float] | None:
        """To the control, in the lab and in virtual time."""
        one, other = self.emulated.ratio, self.simulated.ratio
        return (one.value, other.value) if one and other else None

    @property
    def agrees(self) -> bool:
        near = not self.held or abs(self.apart or 0.0) <= WORST
        ratios = self.ratios if self.held else None
        return self.same_outcome and near and (ratios is None or abs(ratios[0] - ratios[1]) <= RATIO)


def compare(emulated: Path, simulated: Path) -> list[Pair]:
    """All cells that both runs have. Raises ValueError if they are not runs of one scenario."""
    told = manifests(emulated, simulated)
    sides = [
        {(one.policy, one.target): one for one in cells(read_rows(folder), manifest)}
        for folder, manifest in zip((emulated, simulated), told, strict=True)
    ]
    return [Pair(emulated=one, simulated=sides[1][key]) for key, one in sides[0].items() if key in sides[1]]


def agree(pairs: Sequence[Pair]) -> bool:
    """Whether all hold, and the cells under a rate in their median."""
    return all(one.agrees for one in pairs) and _median_apart(pairs) <= MEDIAN


def _median_apart(pairs: Sequence[Pair]) -> float:
    return median([abs(one.apart or 0.0) for one in pairs if one.held] or [0.0])


def table(pairs: Sequence[Pair]) -> str:
    """The table in Markdown; each cell: in the lab, in virtual time."""
    words = ("policy", "target", "outcome", "goodput", "apart", "of the control", "round trip (ms)", "sent again (%)")
    lines = []
    for pair in pairs:
        one, other = pair.emulated, pair.simulated
        outcome = one.outcome if pair.same_outcome else f"**{one.outcome}, {other.outcome}**"
        goodput = ", ".join(rate(side.goodput.value) if side.goodput else "-" for side in (one, other))
        apart = "-" if pair.apart is None else f"{pair.apart:+.1%}"
        ratios = ", ".join(f"{ratio:.3f}" for ratio in pair.ratios) if pair.ratios else "-"
        trips = ", ".join(f"{side.rtt.value * 1000:.0f}" if side.rtt else "-" for side in (one, other))
        again = ", ".join(f"{side.resent.value * 100:.1f}" if side.resent else "-" for side in (one, other))
        cells_ = (one.policy, one.target, outcome, goodput, apart if pair.agrees else f"**{apart}**", ratios)
        lines.append((*cells_, trips, again))
    return markdown(words, lines)


def summary(pairs: Sequence[Pair]) -> str:
    """The table in three sentences."""
    held = [abs(one.apart or 0.0) for one in pairs if one.held]
    free = [abs(one.apart) for one in pairs if not one.held and one.apart is not None]
    ratios = [abs(a - b) for one in pairs if one.held and one.ratios for a, b in [one.ratios]]
    return (
        f"Of {len(pairs)} cells {sum(one.same_outcome for one in pairs)} have the same outcome. Goodput of the "
        f"{len(held)} cells under a rate differs by {median(held or [0]):.1%} in the median and {max(held or [0]):.1%} "
        f"at most, their ratio to the control by {max(ratios or [0]):.3f} at most; of the {len(free)} others by "
        f"{median(free or [0]):.1%} in the median and {max(free or [0]):.1%} at most."
    )


def figure(pairs: Sequence[Pair], path: Path) -> None:
    """Goodput in the lab against that in virtual time, with the band in which they agree."""
    drawn = drawing(5.5, 5)
    axes = drawn.subplots()
    for held, name, mark in ((True, "under a rate", "o"), (False, "others", "^")):
        both = [
            (one.emulated.goodput.value, one.simulated.goodput.value)
            for one in pairs
            if one.held is held and one.emulated.goodput and one.simulated.goodput
        ]
        axes.plot([a for a, _ in both], [b for _, b in both], mark, label=f"{name}, {len(both)} cells", alpha=0.6)
    ends = axes.get_xlim()
    line = [max(ends[0], 1e3), ends[1] * 1.2]
    axes.fill_between(line, [one * (1 - WORST) for one in line], [one * (1 + WORST) for one in line], alpha=0.15)
    axes.set(xscale="log", yscale="log", xlabel="goodput in the lab, bit/s", ylabel="in virtual time, bit/s")
    axes.legend(loc="upper left", frameon=False)
    save(drawn, path)
