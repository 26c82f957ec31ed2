"""Timelines on both backends: each cell of the matrix says the same word.

A cell of `vpn-disruption` is a tool under a policy (blocked, degraded, untouched), one of `pakistan-2024-08` what
people do on an access in a phase, with a VPN or without (works, slow, on and off, fails). The shares that come through
and the median times beside them are told: they are of some ten transfers each, begun by chance at other moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from experiments.agreement.common import drawing, manifests, markdown, save
from testbed.result import read_rows
from testbed.timeline.matrix import cells
from testbed.timeline.picking import Group
from testbed.timeline.symptoms import answers, symptoms
from testbed.timeline.values import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A cell of one run."""

    word: str
    group: Group  #: the transfers that it is about
    to_tunnel_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A cell of the table."""

    where: tuple[str, ...]  #: policy and tool, or phase, access, way and transfer
    emulated: Side
    simulated: Side

    @property
    def agrees(self) -> bool:
        return self.emulated.word == self.simulated.word

    @property
    def shares(self) -> tuple[float, float] | None:
        """That came through, in the lab and in virtual time."""
        one, other = self.emulated.group.ok, self.simulated.group.ok
        return (one.value, other.value) if one.n and other.n else None

    @property
    def times(self) -> tuple[float, float] | None:
        """Median seconds of those."""
        one, other = self.emulated.group.seconds, self.simulated.group.seconds
        return (one.value, other.value) if one and other else None


def compare(emulated: Path, simulated: Path) -> list[Pair]:
    """All cells that both runs have. Raises ValueError if they are not runs of one scenario."""
    told = manifests(emulated, simulated)
    sides = [_sides(folder, manifest) for folder, manifest in zip((emulated, simulated), told, strict=True)]
    return [Pair(where=key, emulated=one, simulated=sides[1][key]) for key, one in sides[0].items() if key in sides[1]]


def _sides(folder: Path, manifest: dict[str, Any]) -> dict[tuple[str, ...], Side]:
    rows = read_rows(folder)
    if manifest["scenario"]["kind"] == Kind.MATRIX.value:
        return {
            (one.policy, one.actor): Side(word=one.word.value, group=one.fresh, to_tunnel_s=one.to_tunnel_s)
            for one in cells(rows, manifest)
        }
    found: dict[tuple[str, ...], Side] = {
        (one.policy, one.phase, one.access, "VPN" if one.through else "direct", one.transfer): Side(
            word=one.word.value, group=one.group
        )
        for one in symptoms(rows, manifest)
    }
    nothing = Group(ok=next(iter(found.values())).group.ok, seconds=None, goodput=None, left_out=0, failures=())
    claims: dict[tuple[str, ...], Side] = {
        ("claim", one.text): Side(word="holds" if one.held else "does not hold", group=nothing)
        for one in answers(rows, manifest)
    }
    return found | claims


def agree(pairs: Sequence[Pair]) -> bool:
    """Whether all hold."""
    return all(one.agrees for one in pairs)


def table(pairs: Sequence[Pair]) -> str:
    """The table in Markdown; each cell: in the lab, in virtual time."""
    words = ("where", "word", "came through", "median (s)", "tool up after (s)")
    lines = []
    for pair in pairs:
        one, other = pair.emulated, pair.simulated
        word = one.word if pair.agrees else f"**{one.word}, {other.word}**"
        claim = pair.where[0] == "claim"
        counts = "-" if claim else ", ".join(f"{side.group.ok.hits} of {side.group.ok.n}" for side in (one, other))
        times = ", ".join(f"{value:.2f}" for value in pair.times) if pair.times and not claim else "-"
        ups = ", ".join("-" if side.to_tunnel_s is None else f"{side.to_tunnel_s:.2f}" for side in (one, other))
        lines.append((", ".join(pair.where), word, counts, times, ups))
    return markdown(words, lines)


def summary(pairs: Sequence[Pair]) -> str:
    """The table in two sentences."""
    there = [one for one in pairs if one.where[0] != "claim"]
    shares = [abs(a - b) for one in there if one.shares for a, b in [one.shares]]
    times = [abs(b / a - 1) for one in there if one.times for a, b in [one.times] if a]
    return (
        f"Of {len(pairs)} cells and claims {sum(one.agrees for one in pairs)} say the same word. The share that comes "
        f"through differs by {median(shares or [0]):.1%} in the median and {max(shares or [0]):.1%} at most, the "
        f"median time of what came through by {median(times or [0]):.1%} in the median of the cells."
    )


def figure(pairs: Sequence[Pair], path: Path) -> None:
    """Shares that came through, in the lab against virtual time, and the median times of those."""
    from matplotlib.ticker import LogLocator, NullFormatter

    drawn = drawing(9, 4.4)
    left, right = drawn.subplots(1, 2)
    there = [one for one in pairs if one.where[0] != "claim"]
    shares = [one.shares for one in there if one.shares]
    times = [one.times for one in there if one.times]
    left.plot([100 * a for a, _ in shares], [100 * b for _, b in shares], "o", alpha=0.4)
    left.plot([0, 100], [0, 100], color="#888888", linewidth=0.8)
    left.set(xlabel="came through in the lab, %", ylabel="in virtual time, %")
    right.plot([a for a, _ in times], [b for _, b in times], "o", alpha=0.4)
    if times:
        ends = [min(min(one) for one in times), max(max(one) for one in times)]
        right.plot(ends, ends, color="#888888", linewidth=0.8)
    right.set(xscale="log", yscale="log", xlabel="median time in the lab, s", ylabel="in virtual time, s")
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    save(drawn, path)
