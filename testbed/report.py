"""`report.html`: what was asked, what was found, how it was measured and how to repeat it, on one page without links.

Made from a run folder alone, so that it can be made again. It asks nothing from the network, and runs no script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed import figures, method, tables
from testbed.findings import Cell, cells, policies_of, residuals
from testbed.manifest import read as read_manifest
from testbed.page import STYLE
from testbed.result import read_rows
from testbed.telling import residual_sentence, sentences

if TYPE_CHECKING:
    import pandas as pd


def write(folder: Path) -> Path:
    """Write `report.html` and `figures/`; raises `FileNotFoundError` or `ValueError` for a folder that is no run."""
    manifest, rows = read_manifest(folder), read_rows(folder)
    found, beside = cells(rows, manifest), residuals(rows, manifest)
    drawings = {"shares": figures.shares(found, manifest), "times": figures.times(rows, manifest)}
    if any(one.probes for one in beside):
        drawings["residual"] = figures.residual([one for one in beside if one.probes])
    (folder / "figures").mkdir(exist_ok=True)
    for name, drawing in drawings.items():
        (folder / "figures" / f"{name}.svg").write_text(_standing_alone(drawing))
    words = {one.policy: residual_sentence(one, float(manifest["scenario"]["residual_wait_s"])) for one in beside}
    parts = [
        _head(rows, manifest),
        tables.short(found, beside, manifest),
        tables.results(found, manifest),
        _policies(found, words, manifest),
        _pictures(drawings),
        tables.boxes(folder, manifest),
        method.method(manifest),
        method.again(manifest),
    ]
    title = f"{manifest['scenario']['name']}: {manifest['scenario']['question']}"
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    path = folder / "report.html"
    path.write_text(page)
    return path


def _head(rows: pd.DataFrame, manifest: dict[str, Any]) -> str:
    scenario = manifest["scenario"]
    broken = [check for check in manifest["checks"] if not check["held"]]
    notes = []
    if manifest.get("waiting"):
        notes.append(
            "All is measured but residual censorship: its last probes are still to come, "
            f"{scenario['residual_wait_s']:g} s after their triggers. This page is replaced when they are over."
        )
    elif not manifest["finished"]:
        notes.append("This run was ended before it was over: it shows the attempts made until then.")
    notes += [
        ("No trustworthy result: " if one["lab"] else "Expected but not so: ") + one["text"] + "." for one in broken
    ]
    warning = "".join(f'<p class="warning">{escape(note)}</p>' for note in notes)
    good = (
        ""
        if notes
        else '<p class="fine">All that this scenario expects held (the list is under "How it was measured").</p>'
    )
    factor = scenario["slowdown"]
    slower = f", {factor} times slower" if factor > 1 else ""
    worth = Counter(str(one) for one in rows["fidelity"])
    facts = [
        ("run", manifest["run"]),
        ("when", _when(manifest)),
        ("seed", manifest["seed"]),
        ("attempts", f"{scenario['attempts']} at each target under each policy, {len(rows)} in all"),
        ("full fidelity", f"{worth['ok']} of {len(rows)} attempts"),
        ("network", f"emulated, topology {manifest['topology']['name']}{slower}"),
        ("delays made by", manifest["facts"].get("delay_means", "nothing")),
        ("kernel", manifest["machine"]["kernel"]),
        ("penstock", " ".join(filter(None, [manifest["versions"]["penstock"], manifest["versions"]["commit"][:12]]))),
    ]
    cells_ = "".join(f"<div><b>{escape(name)}</b>{escape(str(value))}</div>" for name, value in facts)
    return (
        f'<header><p class="kind">penstock scenario: {escape(scenario["name"])}</p>'
        f"<h1>{escape(scenario['question'])}</h1><p>{escape(scenario['about'])}</p>"
        f'<div class="facts">{cells_}</div>{warning}{good}</header>'
    )


def _when(manifest: dict[str, Any]) -> str:
    """The start, and how long it took."""
    began = str(manifest["started"])
    text = began.replace("T", " ").replace("Z", " UTC")
    if "ended" not in manifest:
        return text
    took = datetime.fromisoformat(manifest["ended"]) - datetime.fromisoformat(began)
    return f"{text}, {took.total_seconds():g} s long"


def _policies(found: Sequence[Cell], residual: dict[str, str], manifest: dict[str, Any]) -> str:
    told = {one["name"]: one for one in manifest["policies"]}
    parts = ["<section><h2>What was found</h2>"]
    for policy in policies_of(manifest):
        parts.append(f"<h3>{escape(policy)}</h3>")
        about = told[policy]["about"] if policy in told else "the same network, and a box that only forwards"
        if about:
            parts.append(f'<p class="about">{escape(about)}</p>')
        said = sentences(policy, found, manifest)
        if policy in residual:
            said.append(residual[policy])
        parts.append("<ul>" + "".join(f"<li>{escape(one)}</li>" for one in said) + "</ul>")
        if policy in told:
            text = escape(told[policy]["text"])
            parts.append(f"<details><summary>the policy as it was used</summary><pre>{text}</pre></details>")
    return "".join(parts) + "</section>"


def _pictures(drawings: dict[str, str]) -> str:
    titles = {
        "shares": ("Blocked shares", "The same numbers as in the table."),
        "times": (
            "How long it took",
            "One mark an attempt, from the start of the client program. The reset itself comes within a round trip of "
            "the ClientHello; what dominates an attempt that is reset is the client's own processor time, as several "
            "clients start at once. Silent drops cost the user the whole time that the client is willing to wait.",
        ),
        "residual": (
            "Residual censorship",
            "After one request for the blocked name, an innocent name on the same server is asked for from the same "
            "client address, once, after a wait. Each mark is a trigger, a wait and a probe of its own.",
        ),
    }
    parts = [
        f"<figure><h3>{titles[name][0]}</h3>{drawing}<figcaption>{titles[name][1]}</figcaption></figure>"
        for name, drawing in drawings.items()
    ]
    return "<section><h2>Figures</h2>" + "".join(parts) + "</section>"


def _standing_alone(svg: str) -> str:
    return '<?xml version="1.0" encoding="utf-8"?>\n' + svg
