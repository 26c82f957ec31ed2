"""`report.html` of a timeline: the answer in plain words, the matrix, the figures, what was assumed, how to repeat it.

Made from a run folder alone, so that it can be made again. It asks nothing from the network, and runs no script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed import tables as lab_tables
from testbed.findings import policies_of
from testbed.manifest import read as read_manifest
from testbed.manifest import simulated
from testbed.page import STYLE
from testbed.result import CONTROL, read_rows
from testbed.timeline import figures, method, tables
from testbed.timeline.matrix import Cell, cells, knows
from testbed.timeline.run import SERIES
from testbed.timeline.series import read_series
from testbed.timeline.symptoms import Answer, answers, symptoms
from testbed.timeline.telling import NOT_KNOWN, sentences
from testbed.timeline.values import Kind

if TYPE_CHECKING:
    import pandas as pd


def write(folder: Path) -> Path:
    """Write `report.html` and `figures/`; raises `FileNotFoundError` or `ValueError` for a folder that is no run."""
    manifest, rows = read_manifest(folder), read_rows(folder)
    (folder / "figures").mkdir(exist_ok=True)
    matrix = Kind(manifest["scenario"]["kind"]) is Kind.MATRIX
    body = _matrix(folder, rows, manifest) if matrix else _symptoms(folder, rows, manifest)
    parts = [
        _head(rows, manifest),
        *body,
        method.policies(manifest),
        method.cannot(manifest),
        lab_tables.boxes(folder, manifest),
        method.method(manifest),
        method.again(manifest),
    ]
    title = f"{manifest['scenario']['name']}: {manifest['scenario']['question']}"
    path = folder / "report.html"
    path.write_text(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}{tables.STYLE}</style>'
        "</head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
    return path


def _head(rows: pd.DataFrame, manifest: dict[str, Any]) -> str:
    scenario = manifest["scenario"]
    notes = []
    if not manifest["finished"]:
        notes.append("This run was ended before it was over: it shows what was measured until then.")
    notes += [
        ("No trustworthy result: " if one["lab"] else "Expected but not so: ") + str(one["text"]) + "."
        for one in manifest["checks"]
        if not one["held"]
    ]
    warning = "".join(f'<p class="warning">{escape(note)}</p>' for note in notes)
    good = "" if notes else '<p class="fine">All that this scenario expects held.</p>'
    worth = Counter(str(one) for one in rows["fidelity"])
    slower = f", {scenario['slowdown']} times slower" if scenario["slowdown"] > 1 else ""
    virtual = simulated(manifest)
    made = "simulated, in virtual time" if virtual else "emulated"
    facts = [
        ("run", manifest["run"]),
        ("when", str(manifest["started"]).replace("T", " ").replace("Z", " UTC")),
        ("seed", manifest["seed"]),
        ("rows of full fidelity", f"{worth['ok']} of {len(rows)}"),
        ("network", f"{made}, topology {manifest['topology']['name']}{slower}"),
        ("delays made by", manifest["facts"].get("delay_means", "nothing")),
        ("kernel", "none" if virtual else manifest["machine"]["kernel"]),
        ("penstock", " ".join(filter(None, [manifest["versions"]["penstock"], manifest["versions"]["commit"][:12]]))),
    ]
    told = "".join(f"<div><b>{escape(name)}</b>{escape(str(value))}</div>" for name, value in facts)
    return (
        f'<header><p class="kind">penstock scenario: {escape(scenario["name"])}</p>'
        f"<h1>{escape(scenario['question'])}</h1><p>{escape(scenario['about'])}</p>"
        f'<div class="facts">{told}</div>{warning}{good}</header>'
    )


def _symptoms(folder: Path, rows: pd.DataFrame, manifest: dict[str, Any]) -> list[str]:
    found, said = symptoms(rows, manifest), answers(rows, manifest)
    parts = [_plainly(said)] if said else []
    strange = [policy for policy in policies_of(manifest)[1:] if not knows(manifest, policy)]
    parts += [f"<p>{escape(policy)}: {escape(NOT_KNOWN)}</p>" for policy in strange]
    for policy in policies_of(manifest)[1:]:
        parts.append(
            f"<section><h2>What people notice{_under(manifest, policy)}</h2><p>Each cell: what a person would say, how "
            "many attempts came through of those made, and the median time of those that did. People on mobile and on "
            "fixed lines, each without and with a VPN, did the same things over and over while the censor changed its "
            f"mind.</p>{_phases(manifest)}{tables.symptom_matrix(found, manifest, policy)}"
            f"{tables.symptom_numbers(found, policy)}</section>"
        )
    drawn = []
    for leg in _legs(manifest):
        if leg["policy"] != CONTROL:
            drawing = figures.doings(leg, rows, manifest)
            note = "Every attempt, where it ended. A line of crosses is what people called 'not working'."
            drawn.append(_figure(folder, leg, "doings", drawing, "Everything that people did", note))
    for leg in _legs(manifest):
        drawn.append(_answers(folder, leg, rows, manifest))
    parts.append(f"<section><h2>As time went by</h2>{''.join(drawn)}</section>")
    return parts


def _plainly(said: Sequence[Answer]) -> str:
    items = "".join(
        f"<li><b>{_held(one)}: {escape(one.text)}.</b> <small>{escape(one.measured)}.</small></li>" for one in said
    )
    return f'<section><h2>The answer in plain words</h2><ul class="plainwords">{items}</ul></section>'


def _held(one: Answer) -> str:
    return "Yes" if one.held else "Not in this run" if one.known else "No result"


def _under(manifest: dict[str, Any], policy: str) -> str:
    return f" under {escape(policy)}" if len(manifest["policies"]) > 1 else ""


def _phases(manifest: dict[str, Any]) -> str:
    told = "".join(
        f"<li><b>{escape(one['name'])}</b>, {_lasts(one, manifest):g} s: {escape(one['about'])}</li>"
        for one in manifest["scenario"]["phases"]
    )
    return f"<ul>{told}</ul>"


def _lasts(phase: dict[str, Any], manifest: dict[str, Any]) -> float:
    scenario = manifest["scenario"]
    return float(phase["seconds"]) * float(scenario["stretch"]) * float(scenario["slowdown"])


def _matrix(folder: Path, rows: pd.DataFrame, manifest: dict[str, Any]) -> list[str]:
    found = cells(rows, manifest)
    parts = [
        "<section><h2>What each policy did to each tool</h2><p>While the policy was awake, through connections that "
        "were made in that time. A tool is degraded if less than 80 % of the transfers came through, if it carried "
        "less than 60 % of what it carries without a policy, if an attempt to connect failed, or, where it was left "
        "open, if it was without an answer for 2.5 s longer than without a policy or if a quarter more of its probes "
        "went unanswered (35 of a hundred where it was made to connect anew). It is "
        "blocked if nothing came through and at most one probe in five was answered.</p>"
        f"{tables.tool_matrix(found, manifest)}{_known(manifest)}</section>",
        "<section><h2>Policy by policy, as time went by</h2>",
    ]
    for leg in _legs(manifest):
        policy = str(leg["policy"])
        about = next((one["about"] for one in manifest["policies"] if one["name"] == policy), "no policy: the control")
        parts.append(f'<h3>{escape(policy)}</h3><p class="about">{escape(str(about))}</p>')
        parts.append(_said(policy, found) if policy != CONTROL else "")
        parts.append(_answers(folder, leg, rows, manifest))
        if policy != CONTROL:
            numbers = tables.tool_numbers(found, policy)
            parts.append(f"<details><summary>every number</summary>{numbers}</details>")
    return [*parts, "</section>"]


def _said(policy: str, found: Sequence[Cell]) -> str:
    return "<ul>" + "".join(f"<li>{escape(one)}</li>" for one in sentences(policy, found)) + "</ul>"


def _known(manifest: dict[str, Any]) -> str:
    """By which fact a box knows each tool: the same for all policies."""
    whys = dict.fromkeys(str(one["why"]) for one in manifest["scenario"]["meant"] if one["why"])
    items = "".join(f"<li>{escape(why)}</li>" for why in whys)
    return f"<h3>By what a box knows them</h3><ul>{items}</ul>" if items else ""


def _legs(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [leg for leg in manifest["legs"] if leg.get("phases")]


def _answers(folder: Path, leg: dict[str, Any], rows: pd.DataFrame, manifest: dict[str, Any]) -> str:
    drawing = figures.answers(leg, rows, read_series(folder / leg["folder"] / SERIES), manifest)
    every_s = manifest["scenario"]["probe_s"] * manifest["scenario"]["slowdown"]
    note = f"Each asked a server abroad every {every_s:g} s; only answers from the tool's own exit address count."
    return _figure(folder, leg, "answers", drawing, f"Who had an answer, {leg['folder']}", note)


def _figure(folder: Path, leg: dict[str, Any], kind: str, drawing: str, title: str, note: str) -> str:
    path = folder / "figures" / f"{kind}-{leg['folder']}.svg"
    path.write_text('<?xml version="1.0" encoding="utf-8"?>\n' + drawing)
    return f"<figure><h3>{escape(title)}</h3>{drawing}<figcaption>{escape(note)}</figcaption></figure>"
