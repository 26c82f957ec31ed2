"""The tables of a report, in HTML: one line a policy, one cell a target and policy, and what the boxes did.

It counts nothing but the boxes' own lines; the numbers come from `findings`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from middlebox.drivers.log import decisions
from testbed.fidelity import INTERVAL_S
from testbed.findings import Cell, ResidualFound, policies_of, targets_of, together
from testbed.stats import Share, percent
from testbed.telling import residual_span

MOST_FAILURES = 3  #: kinds of failure that a cell has room for


def short(found: Sequence[Cell], beside: Sequence[ResidualFound], manifest: dict[str, Any]) -> str:
    """One line a policy."""
    residual = {one.policy: one for one in beside}
    lines = []
    for policy in policies_of(manifest):
        here = [cell for cell in found if cell.policy == policy]
        meant = together([cell for cell in here if cell.intended == "blocked"])
        spared = together([cell for cell in here if cell.intended == "ok"])
        failures: Counter[str] = Counter()
        for cell in here:
            failures.update(dict(cell.failures))
        times = [cell.to_failure.value for cell in here if cell.to_failure]
        low, high = (f"{min(times):.2f}", f"{max(times):.2f}") if times else ("", "")
        span = "-" if not times else f"{low} s" if low == high else f"{low} to {high} s"
        words = [
            escape(policy),
            _share(meant),
            _share(spared),
            "<br>".join(_breakable(f"{name} ({count})") for name, count in failures.most_common()) or "-",
            span,
            _unbroken(residual_span(residual[policy])) if policy in residual else "-",
        ]
        lines.append(f"<tr><th>{words[0]}</th>" + "".join(f"<td>{word}</td>" for word in words[1:]) + "</tr>")
    head = (
        "policy",
        "blocked of what it means to block",
        "blocked of the rest",
        "what the client saw",
        "median time to failure, by target",
        "residual censorship",
    )
    titles = "".join(f"<th>{word}</th>" for word in head)
    return (
        f'<section><h2>In short</h2><table class="plain"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></section>"
    )


def _share(share: Share) -> str:
    if not share.n:
        return "-"
    return f"<b>{share.hits} of {share.n}</b><small>{percent(share.low)} to {percent(share.high)}</small>"


def results(found: Sequence[Cell], manifest: dict[str, Any]) -> str:
    policies = policies_of(manifest)
    there = {(cell.policy, cell.target): cell for cell in found}
    head = "".join(f"<th>{escape(policy)}</th>" for policy in policies)
    lines = []
    for target in targets_of(manifest):
        row = "".join(_cell(there.get((policy, str(target["name"])))) for policy in policies)
        about = f"<th><b>{escape(target['name'])}</b><span>{escape(target['about'])}</span></th>"
        lines.append(f"<tr>{about}{row}</tr>")
    return (
        "<section><h2>Who was blocked</h2>"
        "<p>Each cell: attempts that the client found blocked, of those made, and the 95 % Wilson interval of that "
        "share. A frame marks what differs from what the policy means.</p>"
        f'<table class="matrix"><thead><tr><th>target</th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
        '<p class="key"><span class="ok">got through</span> <span class="some">some</span> '
        '<span class="blocked">blocked</span> '
        '<span class="ok off">got through though meant to be blocked: underblocking</span> '
        '<span class="blocked off">blocked though not meant: overblocking</span></p></section>'
    )


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return '<td class="none">not tried</td>'
    share = cell.blocked
    if not share.n:
        return f'<td class="none">no result<small>{cell.suspect + cell.lost} left out</small></td>'
    kind = "ok" if share.hits == 0 else "blocked" if share.hits == share.n else "some"
    mark = "overblocking" if cell.over else "underblocking" if cell.under else ""
    why = [name for name, _ in cell.failures[:MOST_FAILURES]]
    left = f"{cell.suspect + cell.lost} left out" if cell.suspect + cell.lost else ""
    lines = [f"{percent(share.low)} to {percent(share.high)}", *why, mark, left]
    small = "".join(f"<small>{_breakable(line)}</small>" for line in lines if line)
    return f'<td class="{kind}{" off" if mark else ""}"><span><b>{share.hits}/{share.n}</b> blocked</span>{small}</td>'


def _unbroken(text: str) -> str:
    """HTML that keeps a number and its unit on one line."""
    return re.sub(r"(\d) s\b", r"\1&nbsp;s", escape(text))


def _breakable(text: str) -> str:
    """HTML that may be broken behind each underscore: failure strings are long, and columns narrow."""
    return escape(text).replace("_", "_<wbr>")


def boxes(folder: Path, manifest: dict[str, Any]) -> str:
    """What the boxes themselves wrote down: only here are the two sides put beside each other."""
    lines = []
    for policy in policies_of(manifest)[1:]:
        counts: Counter[tuple[str, str, str]] = Counter()
        injected: Counter[tuple[str, str, str]] = Counter()
        for one in decisions(folder / policy):
            key = (str(one["rule"]) or "(no rule)", str(one["action"]) or "-", str(one["verdict"]))
            counts[key] += 1
            injected[key] += int(one["injected"])
        for (rule, action, verdict), count in counts.most_common():
            words = (policy, rule, action, verdict, str(count), str(injected[rule, action, verdict]))
            lines.append("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in words) + "</tr>")
    asked = []
    for leg in manifest["legs"]:
        for box, stats in (leg.get("boxes") or {}).items():
            count = (stats or {}).get("counters", {}).get("packets")
            if count is not None:
                asked.append(f"{leg['policy']}/{box} was asked about {count} packets{_load(leg.get('load'))}")
    head = "".join(f"<th>{word}</th>" for word in ("policy", "rule", "action", "verdict", "packets", "injected"))
    seen = "<ul>" + "".join(f"<li>{escape(one)}.</li>" for one in asked) + "</ul>" if asked else ""
    return (
        "<section><h2>What the boxes did</h2><p>From the boxes' own logs (decisions.jsonl), which the clients above "
        f"never see. Packets that were simply passed are not in it.</p>{seen}"
        f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></section>'
    )


def _load(load: dict[str, Any] | None) -> str:
    """The worst that a box did, in words."""
    if not load:
        return ""
    parts = []
    if load["added_p99_s"] is not None:
        parts.append(f"added at most {load['added_p99_s'] * 1000:.2g} ms to one packet in a hundred")
    if load["cpu_share"] is not None:
        parts.append(f"took at most {percent(load['cpu_share'])} of a core")
    parts.append(f"lost {load['queue_drops']} before it saw them")
    return ", " + ", ".join(parts) + f" (the worst of windows of {INTERVAL_S:g} s)"
