"""Attempts at targets on both backends: outcomes, decisions and forged packets are the same, handshakes take as long.

Handshakes are measured on the wire, and the shortest of a cell's attempts counts: what a busy machine adds is not the
network's. What stands in a log only because the lab lived longer, such as retransmissions of what was decided already,
is counted once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from experiments.agreement.common import drawing, manifests, markdown, save
from experiments.captured import Captured, Flow, read
from testbed.attempts import MAIN
from testbed.findings import policies_of, targets_of
from testbed.result import CONTROL, read_rows

if TYPE_CHECKING:
    import pandas as pd

#: seconds and share by which a handshake may differ
NEAR_S, NEAR = 0.005, 0.05
#: what a box did about one flow: rule, action, verdict, packets injected
Done = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One run, one target, one policy: all that its attempts have in common, as sets of what each showed."""

    outcomes: frozenset[tuple[str, str]]  #: with failures
    decisions: frozenset[tuple[Done, ...]]
    forged: frozenset[object]
    tcp_s: float | None  #: the shortest handshakes
    tls_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A cell of the table."""

    policy: str
    target: str
    emulated: Side
    simulated: Side

    @property
    def same_outcome(self) -> bool:
        return self.emulated.outcomes == self.simulated.outcomes

    @property
    def same_decisions(self) -> bool:
        return self.emulated.decisions == self.simulated.decisions

    @property
    def same_forged(self) -> bool:
        return self.emulated.forged == self.simulated.forged

    @property
    def times(self) -> list[tuple[float, float]]:
        """Handshakes on both sides, where both have them: of TCP, of TLS."""
        one, other = self.emulated, self.simulated
        both = ((one.tcp_s, other.tcp_s), (one.tls_s, other.tls_s))
        return [(a, b) for a, b in both if a is not None and b is not None]

    @property
    def near(self) -> bool:
        return all(abs(a - b) <= max(NEAR_S, NEAR * a) for a, b in self.times)

    @property
    def agrees(self) -> bool:
        return self.same_outcome and self.same_decisions and self.same_forged and self.near


def compare(emulated: Path, simulated: Path) -> list[Pair]:
    """All cells of two runs of one scenario. Raises ValueError if they are not."""
    told = manifests(emulated, simulated)
    pairs = []
    for policy in policies_of(told[0]):
        sides = [_sides(folder, policy, manifest) for folder, manifest in zip((emulated, simulated), told, strict=True)]
        pairs += [
            Pair(policy=policy, target=target, emulated=sides[0][target], simulated=sides[1][target])
            for target in sides[0]
        ]
    return pairs


def _sides(folder: Path, policy: str, manifest: dict[str, Any]) -> dict[str, Side]:
    """What the attempts under one policy showed, by target."""
    rows = read_rows(folder)
    rows = rows[(rows["phase"] == MAIN) & (rows["policy"] == policy) & (rows["fidelity"] == "ok")]
    captured = read(folder / policy / "client.pcap", set(rows["address"]))
    decided = _decisions(folder / policy / "decisions.jsonl")
    return {
        target["name"]: _side(rows[rows["target"] == target["name"]], target["host"], captured, decided)
        for target in targets_of(manifest)
    }


def _decisions(path: Path) -> dict[str, list[Done]]:
    """What was decided about the flows of each address."""
    found: dict[str, list[Done]] = defaultdict(list)
    for line in path.read_text().splitlines() if path.exists() else ():
        one = json.loads(line)
        client = one["flow"].split(" ")[-1].split(">")[0].rpartition(":")[0].strip("[]")
        found[client].append((one["rule"], one["action"], one["verdict"], int(one["injected"])))
    return found


def _side(rows: pd.DataFrame, host: str, captured: Captured, decided: dict[str, list[Done]]) -> Side:
    flows = [captured.flows.get(address, Flow()) for address in rows["address"]]
    decisions = [tuple(one for one, _ in groupby(decided.get(address, ()))) for address in rows["address"]]
    forged: set[object] = set(captured.answers.get(host, ()))
    for flow, about in zip(flows, decisions, strict=True):
        if not about:  # what the server itself says when a client closes early is not forged
            forged.add(())
            continue
        injected = any(one[3] for one in about)
        # a rewriting box forges an answer to each retransmission, for as long as the lab lives
        forged.add(tuple(flow.resets) if injected else tuple(one for one, _ in groupby(flow.resets)))
    return Side(
        outcomes=frozenset(zip(rows["outcome"], rows["failure"], strict=True)),
        decisions=frozenset(decisions),
        forged=frozenset(forged),
        tcp_s=_least([flow.tcp_s for flow in flows]),
        tls_s=_least([flow.tls_s for flow in flows]),
    )


def _least(values: list[float | None]) -> float | None:
    return min((one for one in values if one is not None), default=None)


def agree(pairs: Sequence[Pair]) -> bool:
    """Whether all hold."""
    return all(one.agrees for one in pairs)


def table(pairs: Sequence[Pair]) -> str:
    """The table in Markdown."""
    words = ("policy", "target", "outcome", "decisions", "forged", "TCP: lab, virtual (ms)", "TLS: lab, virtual (ms)")
    lines = []
    for one in pairs:
        seen = ", ".join(sorted(failure or outcome for outcome, failure in one.emulated.outcomes))
        outcome = seen if one.same_outcome else f"**{seen}; in virtual time {sorted(one.simulated.outcomes)}**"
        cells = [one.policy, one.target, outcome]
        cells += [_same(one.same_decisions, one.policy != CONTROL), _same(one.same_forged, bool(one.emulated.forged))]
        cells += [_ms(one.emulated.tcp_s, one.simulated.tcp_s), _ms(one.emulated.tls_s, one.simulated.tls_s)]
        lines.append(cells)
    return markdown(words, lines)


def summary(pairs: Sequence[Pair]) -> str:
    """The table in three sentences."""
    times = [pair for one in pairs for pair in one.times]
    off = [abs(a - b) * 1000 for a, b in times]
    count = len(pairs)
    return (
        f"Of {count} cells {sum(one.same_outcome for one in pairs)} have the same outcomes and failures, "
        f"{sum(one.same_decisions for one in pairs)} the same decisions, {sum(one.same_forged for one in pairs)} the "
        f"same forged packets. Of {len(times)} handshakes {sum(a >= b for a, b in times)} are slower in the lab; they "
        f"differ by {median(off):.1f} ms in the median and {max(off):.1f} ms at most. "
        f"{sum(not one.near for one in pairs)} cells differ by more than {NEAR_S * 1000:g} ms and {NEAR:.0%}."
    )


def _same(same: bool, there: bool) -> str:
    return ("same" if there else "-") if same else "**different**"


def _ms(a: float | None, b: float | None) -> str:
    if a is None and b is None:
        return "-"
    said = ", ".join("none" if one is None else f"{one * 1000:.1f}" for one in (a, b))
    far = a is not None and b is not None and abs(a - b) > max(NEAR_S, NEAR * a)
    return f"**{said}**" if far else said


def figure(pairs: Sequence[Pair], path: Path) -> None:
    """Handshakes in the lab against those in virtual time, with the band in which they agree."""
    drawn = drawing(5.5, 5)
    axes = drawn.subplots()
    for number, (name, mark) in enumerate((("TCP: SYN to SYN+ACK", "o"), ("TLS: hello to answer", "^"))):
        both = [
            (a * 1000, b * 1000)
            for one in pairs
            for a, b in [((one.emulated.tcp_s, one.simulated.tcp_s), (one.emulated.tls_s, one.simulated.tls_s))[number]]
            if a is not None and b is not None
        ]
        axes.plot([a for a, _ in both], [b for _, b in both], mark, label=f"{name}, {len(both)} cells", alpha=0.6)
    most = max(max(pair) for one in pairs for pair in one.times) * 1000 * 1.15
    line = [most * step / 100 for step in range(101)]
    wide = [max(NEAR_S * 1000, NEAR * one) for one in line]
    lower = [one - band for one, band in zip(line, wide, strict=True)]
    upper = [one + band for one, band in zip(line, wide, strict=True)]
    axes.fill_between(line, lower, upper, alpha=0.15, label=f"{NEAR_S * 1000:g} ms or {NEAR:.0%}")
    axes.set(xlim=(0, most), ylim=(0, most), xlabel="in the lab (ms)", ylabel="in virtual time (ms)", aspect="equal")
    axes.legend(loc="upper left", frameon=False)
    save(drawn, path)
