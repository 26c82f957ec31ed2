"""The tables of a throughput report: one cell a target and policy in HTML, and the same numbers as CSV.

It counts nothing; the numbers come from `findings`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from html import escape
from typing import Any

from testbed.findings import policies_of, targets_of
from testbed.result import CONTROL
from testbed.stats import Median, percent
from testbed.throughput.findings import Cell, Means, means, of
from testbed.throughput.telling import milli, rate, rates, times

_SHADE = {"ok": "ok", "throttled": "some", "degraded": "some", "blocked": "blocked"}


def short(found: Sequence[Cell], manifest: dict[str, Any]) -> str:
    """One line a policy: what its users got, and how the sender's kernel saw it."""
    targets = [one for one in targets_of(manifest) if one["listed"]]
    direct = [str(one["name"]) for one in targets if not one["tool"]]
    around = [str(one["name"]) for one in targets if one["tool"]]
    lines = []
    for policy in policies_of(manifest):
        words = [_brief(of(found, policy, name)) for name in direct]
        slowed = [
            cell
            for cell in found
            if cell.policy == policy and cell.target in direct and cell.outcome in ("throttled", "degraded")
        ]
        how = dict.fromkeys(means(cell, of(found, CONTROL, cell.target)).value for cell in slowed)
        words.append("<br>".join(filter(None, how)) or "-")
        if around:
            words.append("<br>".join(f"{_brief(of(found, policy, name))}" for name in around))
        lines.append(f"<tr><th>{escape(policy)}</th>" + "".join(f"<td>{word}</td>" for word in words) + "</tr>")
    head = ["policy", *direct, "what the sender's kernel saw", *(["the same through a tool"] if around else [])]
    titles = "".join(f"<th>{escape(word)}</th>" for word in head)
    return (
        f'<section><h2>In short</h2><table class="plain"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></section>"
    )


def _brief(cell: Cell | None) -> str:
    if cell is None or not cell.n:
        return "-"
    if cell.outcome == "blocked":
        much = f"after {cell.got.value / 1000:.0f} kB" if cell.got else ""
    elif cell.workload == "web-object" and cell.seconds:
        much = f"{cell.seconds.value:.1f} s"
    else:
        much = rate(cell.goodput.value) if cell.goodput else ""
    return f"<b>{cell.outcome}</b>" + (f" <span>{much}</span>" if much else "")


def results(found: Sequence[Cell], manifest: dict[str, Any]) -> str:
    """Policy by target: the outcome, the goodput, its ratio to the control, and what the sender's kernel saw."""
    policies = policies_of(manifest)
    head = "".join(f"<th>{escape(policy)}</th>" for policy in policies)
    lines = []
    for target in targets_of(manifest):
        name = str(target["name"])
        control = of(found, CONTROL, name)
        row = "".join(_cell(of(found, policy, name), control) for policy in policies)
        lines.append(f"<tr><th><b>{escape(name)}</b><span>{escape(target['about'])}</span></th>{row}</tr>")
    return (
        "<section><h2>How fast it was</h2>"
        "<p>Each cell: what most attempts were, in how many of those made; the median goodput and its interval; its "
        "ratio to the control of the same target with an interval (95 % of each, or of few attempts the range of all, "
        "which covers less: a median's of five 93.8 %, of two 50 %); the median round trip under load (and the least "
        "one), and the share of segments that were sent again, both by the sender's kernel. A frame marks what differs "
        "from what the policy means.</p>"
        f'<table class="matrix"><thead><tr><th>target</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
        '<p class="key"><span class="ok">ok</span> <span class="some">throttled or degraded</span> '
        '<span class="blocked">blocked</span> <span class="ok off">not what the policy means</span></p></section>'
    )


def _cell(cell: Cell | None, control: Cell | None) -> str:
    if cell is None:
        return '<td class="none">not tried</td>'
    if not cell.n:
        return f'<td class="none">no result<small>{cell.suspect + cell.lost} left out</small></td>'
    many = dict(cell.outcomes).get(cell.outcome, 0)
    lines = []
    if cell.goodput:
        lines += [f"<b>{rate(cell.goodput.value)}</b>", rates(cell.goodput)]
    if cell.ratio:
        lines.append(f"{times(cell.ratio)} of control")
    if cell.seconds and cell.workload == "web-object":
        lines.append(f"whole page in {cell.seconds.value:.1f} s")
    if cell.got:
        lines.append(f"cut off after {cell.got.value / 1000:.1f} kB")
    lines += [escape(name).replace("_", "_<wbr>") for name, _ in cell.failures[:2]]
    if cell.rtt and cell.least_rtt and cell.outcome != "blocked":
        lines.append(f"RTT {milli(cell.rtt)} (least {milli(cell.least_rtt)})")
    if cell.resent and cell.outcome != "blocked":
        lines.append(f"{percent(cell.resent.value)} sent again")
    how = means(cell, control)
    if cell.policy != CONTROL and cell.outcome in ("throttled", "degraded") and how is not Means.UNKNOWN:
        lines.append(f"<i>{how.value}</i>")
    if cell.suspect + cell.lost:
        lines.append(f"{cell.suspect + cell.lost} left out")
    small = "".join(f"<small>{line}</small>" for line in lines)
    kind = _SHADE[cell.outcome] + (" off" if cell.off else "")
    return f'<td class="{kind}"><span><b>{cell.outcome}</b> {many}/{cell.n}</span>{small}</td>'


#: the columns of `cells.csv`: rates in bit/s, times in seconds, shares from 0 to 1
_COLUMNS = [
    "policy",
    "target",
    "workload",
    "tool",
    "intended",
    "outcome",
    "attempts_with_it",
    "attempts",
    "left_out",
    "goodput",
    "goodput_low",
    "goodput_high",
    "ratio_to_control",
    "ratio_low",
    "ratio_high",
    "seconds",
    "bytes_when_cut_off",
    "rtt_s",
    "least_rtt_s",
    "retransmitted",
    "means",
    "policy_rate",
]


def as_csv(found: Sequence[Cell]) -> str:
    """The cells, one line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for cell in found:
        many = dict(cell.outcomes).get(cell.outcome, 0)
        writer.writerow(
            [
                *(cell.policy, cell.target, cell.workload, cell.tool, cell.intended, cell.outcome, many, cell.n),
                cell.suspect + cell.lost,
                *_three(cell.goodput),
                *((cell.ratio.value, cell.ratio.low, cell.ratio.high) if cell.ratio else ("", "", "")),
                *(_one(one) for one in (cell.seconds, cell.got, cell.rtt, cell.least_rtt, cell.resent)),
                means(cell, of(found, CONTROL, cell.target)).value,
                "" if cell.rate is None else cell.rate,
            ]
        )
    return text.getvalue()


def _three(found: Median | None) -> tuple[float | str, float | str, float | str]:
    return (found.value, found.low, found.high) if found else ("", "", "")


def _one(found: Median | None) -> float | str:
    return found.value if found else ""
