"""What all comparisons share: the manifests of both runs, a table in Markdown, figures of the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.findings import policies_of
from testbed.manifest import read as read_manifest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def manifests(emulated: Path, simulated: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of both runs. Raises ValueError if they are not of one scenario under the same policies."""
    one, other = read_manifest(emulated), read_manifest(simulated)
    if one["scenario"]["name"] != other["scenario"]["name"] or policies_of(one) != policies_of(other):
        raise ValueError(f"{emulated} and {simulated} are not runs of one scenario under the same policies")
    return one, other


def markdown(words: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with this head."""
    lines = [words, *rows]
    made = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([made[0], "|" + "---|" * len(words), *made[1:]]) + "\n"


def drawing(width: float, height: float) -> Figure:
    """An empty figure, inches wide and high."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "agreement"
    return Figure(figsize=(width, height), layout="constrained")


def save(drawn: Figure, path: Path) -> None:
    """As SVG, without the time of day."""
    drawn.savefig(path, metadata={"Date": None})
