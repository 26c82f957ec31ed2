"""`report.html`: what was asked, what was found, how it was measured and how to repeat it, on one page without links.

Made from a run folder alone, so that it can be made again. It asks nothing from the network, and runs no script.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed import method
from testbed.manifest import read as read_manifest
from testbed.manifest import simulated
from testbed.page import STYLE
from testbed.reading import reading
from testbed.result import read_rows

if TYPE_CHECKING:
    import pandas as pd


def write(folder: Path) -> Path:
    """Write `report.html` and `figures/`; raises `FileNotFoundError` or `ValueError` for a folder that is no run."""
    manifest, rows = read_manifest(folder), read_rows(folder)
    read = reading(manifest)
    drawings = read.drawings(folder)
    (folder / "figures").mkdir(exist_ok=True)
    for name, drawing in drawings.items():
        (folder / "figures" / f"{name}.svg").write_text(_standing_alone(drawing))
    parts = [
        _head(rows, manifest),
        *read.sections(folder, drawings),
        method.method(manifest, read.method(manifest)),
        method.again(manifest, folder),
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
    virtual = simulated(manifest)
    made = "simulated, in virtual time" if virtual else "emulated"
    worth = Counter(str(one) for one in rows["fidelity"])
    facts = [
        ("run", manifest["run"]),
        ("when", _when(manifest)),
        ("seed", manifest["seed"]),
        ("attempts", f"{scenario['attempts']} at each target under each policy, {len(rows)} in all"),
        ("full fidelity", f"{worth['ok']} of {len(rows)} attempts"),
        ("network", f"{made}, topology {manifest['topology']['name']}{slower}"),
        ("delays made by", manifest["facts"].get("delay_means", "nothing")),
        ("kernel", "none" if virtual else manifest["machine"]["kernel"]),
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


def _standing_alone(svg: str) -> str:
    return '<?xml version="1.0" encoding="utf-8"?>\n' + svg
