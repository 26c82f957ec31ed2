"""The two matrices of timelines as tables in HTML, with words in every cell, so that no colour is needed to read them.

It counts nothing; `matrix` and `symptoms` do.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from testbed.findings import policies_of
from testbed.stats import percent
from testbed.timeline.matrix import Cell, Class
from testbed.timeline.symptoms import Symptom, Word, phases_of, ways_of

#: lightness rises from one to the next, so that the four differ also without colour
STYLE = """
body { max-width: 84rem; }
.w-works, .w-untouched { background: #dcebf6; } .w-slow { background: #fbe9a9; }
.w-erratic, .w-degraded { background: #f0b65a; } .w-fails, .w-blocked { background: #9c3d00; color: #fff; }
.key .w-fails, .key .w-blocked, td.w-fails small, td.w-blocked small { color: #fff; }
.w-none { background: #f3f3f3; color: #5c6166; }
.tl { table-layout: fixed; border-spacing: 2px; } .tl td b { display: block; line-height: 1.15; }
.tl td { padding: 0.25rem 0.28rem; overflow-wrap: normal; } .tl td, .tl th { font-size: 0.76rem; }
.tl thead th { text-align: left; vertical-align: bottom; font-weight: normal; padding: 0.2rem 0.28rem; }
.tl thead .phase { border-bottom: 2px solid #1d1f21; font-weight: bold; font-size: 0.86rem; }
.matrix.tl tbody th { width: auto; min-width: 0; } .tl td.differs { outline: 3px solid #1d1f21; outline-offset: -3px; }
.tl td.gap, .tl th.gap { background: none; width: 0.4rem; padding: 0; }
.plainwords { max-width: 54rem; padding-left: 0; list-style: none; } .plainwords li { margin-bottom: 0.6rem; }
.plainwords b { font-size: 1.1rem; } .plainwords small { display: block; }
.wide { overflow-x: auto; } .wide .plain td, .wide .plain th { font-size: 0.78rem; padding: 0.25rem 0.3rem; }
"""

_CLASS = {Word.WORKS: "works", Word.SLOW: "slow", Word.ERRATIC: "erratic", Word.FAILS: "fails", Word.UNKNOWN: "none"}


def symptom_matrix(found: Sequence[Symptom], manifest: dict[str, Any], policy: str) -> str:
    """One line for each thing that people do, one block of columns a phase."""
    there = {(one.phase, one.access, one.through, one.transfer): one for one in found if one.policy == policy}
    ways = ways_of(manifest)
    phases = phases_of(manifest)
    gap = '<th class="gap"></th>'
    top = gap.join(f'<th class="phase" colspan="{len(ways)}">{escape(phase)}</th>' for phase in phases)
    named = "".join(f"<th>{escape(access)}{' + VPN' if through else ''}</th>" for access, through in ways)
    lines = []
    for transfer in manifest["scenario"]["transfers"]:
        blocks = []
        for phase in phases:
            cells = (there[phase, access, through, str(transfer["name"])] for access, through in ways)
            blocks.append("".join(_symptom(one) for one in cells))
        row = '<td class="gap"></td>'.join(blocks)
        about = f"<th><b>{escape(transfer['name'])}</b><span>{escape(_size(transfer['bytes']))}</span></th>"
        lines.append(f"<tr>{about}{row}</tr>")
    return (
        f'<table class="tl matrix"><thead><tr><th style="width: 7.2rem"></th>{top}</tr>'
        f"<tr><th></th>{gap.join([named] * len(phases))}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        '<p class="key"><span class="w-works">works</span> <span class="w-slow">slow: twice as long or more</span>'
        ' <span class="w-erratic">on and off: some of it comes through</span> '
        '<span class="w-fails">fails: one in five comes through, or fewer</span></p>'
    )


def _symptom(one: Symptom) -> str:
    share = one.group.ok
    if not share.n:
        return '<td class="w-none">no<br>result</td>'
    time = f"<br>{one.group.seconds.value:.1f} s" if one.group.seconds else ""
    interval = f"{percent(share.low)} to {percent(share.high)} came through (95 % interval)"
    return (
        f'<td class="w-{_CLASS[one.word]}" title="{interval}"><b>{one.word.value}</b>'
        f"<small>{share.hits} of {share.n}{time}</small></td>"
    )


def symptom_numbers(found: Sequence[Symptom], policy: str) -> str:
    """The same with intervals, one line a cell."""
    lines = []
    for one in found:
        if one.policy != policy or not one.group.ok.n:
            continue
        share, seconds, control = one.group.ok, one.group.seconds, one.control.seconds
        words = [
            one.phase,
            one.transfer,
            one.access + (", VPN" if one.through else ""),
            one.word.value,
            str(share),
            f"{seconds.value:.2f} s ({seconds.low:.2f} to {seconds.high:.2f})" if seconds else "-",
            f"{control.value:.2f} s" if control else "-",
            ", ".join(one.group.failures[:2]) or "-",
            str(one.group.left_out or "-"),
        ]
        lines.append("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in words) + "</tr>")
    head = (
        "phase",
        "activity",
        "access",
        "in a word",
        "came through",
        "median time of those (its interval)",
        "control",
        "failures",
        "left out",
    )
    titles = "".join(f"<th>{word}</th>" for word in head)
    body = f'<table class="plain"><thead><tr>{titles}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return f"<details><summary>every number of this matrix, with its interval</summary>{body}</details>"


def tool_matrix(found: Sequence[Cell], manifest: dict[str, Any]) -> str:
    """One line a tool, one column a policy; a frame marks what is not what the policy says."""
    policies = policies_of(manifest)[1:]
    there = {(one.policy, one.actor): one for one in found}
    head = "".join(f"<th>{escape(policy)}</th>" for policy in policies)
    lines = []
    for actor in manifest["scenario"]["actors"]:
        row = "".join(_tool(there[policy, str(actor["name"])]) for policy in policies)
        about = manifest["tools"].get(actor["tool"], {}).get("about", "no tool")
        lines.append(f"<tr><th><b>{escape(actor['name'])}</b><span>{escape(about)}</span></th>{row}</tr>")
    return (
        f'<table class="tl matrix"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
        '<p class="key"><span class="w-untouched">untouched</span> <span class="w-degraded">degraded</span> '
        '<span class="w-blocked">blocked: nothing came through</span> '
        '<span class="w-none off">framed: not what the policy says</span></p>'
    )


def _tool(one: Cell) -> str:
    if one.word is Class.UNKNOWN:
        return f'<td class="w-none"><b>no result</b><small>{one.fresh.left_out} left out</small></td>'
    lines = [f"{one.fresh.ok.hits} of {one.fresh.ok.n} came through"] if one.fresh.ok.n else []
    if one.answered.n:
        lines.append(f"{one.answered.value:.0%} of probes")
    if one.against_direct is not None and one.tool:
        lines.append(f"{one.against_direct:.0%} of direct")
    if one.to_tunnel_s is not None:
        lines.append(f"up in {one.to_tunnel_s:.1f} s")
    if one.tries.hits:
        lines.append(f"{one.tries.hits} of {one.tries.n} attempts failed")
    if one.outage_s and one.outage_s > (one.control_outage_s or 0) + 1:
        lines.append(f"{one.outage_s:.0f} s without")
    small = "".join(f"<small>{escape(line)}</small>" for line in lines)
    mark = " differs" if one.off else ""
    meant = f"<small>meant: {one.meant.value}</small>" if one.meant and one.off else ""
    return f'<td class="w-{one.word.value}{mark}"><b>{one.word.value}</b>{small}{meant}</td>'


def tool_numbers(found: Sequence[Cell], policy: str) -> str:
    """All that was measured of each tool under one policy."""
    lines = []
    for one in found:
        if one.policy != policy:
            continue
        words = [
            one.actor,
            one.word.value,
            "by chance" if one.by_chance else one.meant.value if one.meant else "not known",
            str(one.fresh.ok) if one.fresh.ok.n else "-",
            f"{one.held.ok.hits} of {one.held.ok.n}" if one.held.ok.n else "-",
            f"{one.answered.value:.0%} of {one.answered.n}" if one.answered.n else "-",
            _number(one.to_tunnel_s, "s"),
            _number(one.attempts, ""),
            f"{one.tries.hits} of {one.tries.n}" if one.tries.n else "-",
            _number(one.fresh.goodput and one.fresh.goodput / 1000, "kbit/s", 0),
            f"{one.against_direct:.2f}" if one.against_direct is not None else "-",
            _number(one.rtt_s and one.rtt_s * 1000, "ms", 0),
            _number(one.direct_rtt_s and one.direct_rtt_s * 1000, "ms", 0),
            _number(one.outage_s, "s"),
            _number(one.control_outage_s, "s"),
            _number(one.recovery_s, "s"),
            str(one.reconnects) if one.tool else "-",
        ]
        lines.append("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in words) + "</tr>")
    head = (
        "tool",
        "found",
        "meant",
        "transfers that came through new connections",
        "through open ones",
        "probes answered",
        "time to tunnel",
        "attempts needed",
        "attempts that failed",
        "goodput",
        "of direct",
        "RTT",
        "direct RTT",
        "longest outage",
        "in the control",
        "recovery",
        "reconnects by itself",
    )
    titles = "".join(f"<th>{word}</th>" for word in head)
    body = f'<table class="plain"><thead><tr>{titles}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return f'<div class="wide">{body}</div>'


def _number(value: float | None, unit: str, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f} {unit}".rstrip()


def _size(size: int) -> str:
    return f"{size / 1e6:g} MB" if size >= 1_000_000 else f"{size / 1000:g} kB"
