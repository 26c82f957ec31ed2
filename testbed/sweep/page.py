"""`sweep report`: a sweep's heat maps and curves on one page without links, made from its folder alone."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from testbed.page import STYLE
from testbed.run_folder import as_typed
from testbed.sweep import backends, figures, manifest, table
from testbed.sweep.backends import Backend, Measure
from testbed.sweep.findings import MOST_PAIRS, Findings
from testbed.sweep.store import Store
from testbed.sweep.values import Sweep

#: cells that were set aside, of which the page shows the last line
_MOST_FAILURES = 20


def write(folder: Path) -> Path:
    """Write `report.html` and `figures/`; raises `FileNotFoundError` without a table, or `ValueError`."""
    store = Store(folder)
    told = store.read()
    sweep = manifest.restored(told["sweep"])
    backend = backends.find(sweep.backend)
    columns = [one.column for one in sweep.parameters]
    columns += [name for one in backend.measures for name in (one.column, *one.where)] + ["policy", *backend.across]
    found = Findings(sweep, backend, table.read(store.table, list(dict.fromkeys(columns))))
    drawings = drawn(found, backend)
    (folder / "figures").mkdir(exist_ok=True)
    for name, (_, drawing) in drawings.items():
        (folder / "figures" / f"{name}.svg").write_text('<?xml version="1.0" encoding="utf-8"?>\n' + drawing)
    parts = [_head(sweep, told, found, store)]
    for measure in backend.measures:
        shown = [
            f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"
            for name, (caption, drawing) in drawings.items()
            if name.startswith(f"{measure.name}-by-")
        ]
        if shown:
            parts.append(f"<section><h2>{escape(measure.about)}</h2>{''.join(shown)}</section>")
    pairs = len(found.pairs())
    if pairs > MOST_PAIRS:
        parts.append(f"<p>There are heat maps for the first {MOST_PAIRS} of {pairs} pairs of what is varied.</p>")
    parts += [_failures(store), _again(sweep, told)]
    title = f"{sweep.name}: {manifest.varied(sweep)}"
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def drawn(found: Findings, backend: Backend) -> dict[str, tuple[str, str]]:
    """The figures: file name without its end -> caption and SVG."""
    made: dict[str, tuple[str, str]] = {}
    for measure in backend.measures:
        if not _is_known(found, measure):
            continue
        for along in found.parameters or found.words[:1]:
            lines = [one.column for one in figures.told_apart(found, along)]
            each = f", a line for each {lines[0]}" if lines else ""
            caption = (
                f"{measure.about}, along {along.column}{each}; the bands are 95 % intervals over all rows, whatever "
                f"else is varied among them. {_kind(measure)}{_left_out(found, along.column, *lines)}"
            )
            made[f"{measure.name}-by-{_word(along.column)}"] = (caption, figures.curves(found, measure, along))
        for across, up in found.pairs()[:MOST_PAIRS]:
            caption = (
                f"{measure.about}, at each {across.column} and {up.column}, over all rows that share them. "
                f"{_kind(measure)}{_left_out(found, across.column, up.column)}"
            )
            name = f"{measure.name}-by-{_word(across.column)}-and-{_word(up.column)}"
            made[name] = (caption, figures.heat(found, measure, across, up))
    return made


def _is_known(found: Findings, measure: Measure) -> bool:
    return bool(found.rows[measure.column].notna().any())


def _kind(measure: Measure) -> str:
    kind = (
        "Shares have Wilson intervals."
        if measure.hit is not None
        else "Medians have order-statistic intervals; with fewer than six rows these are the whole range."
    )
    return kind + " Rows of one seed share their chances, so that an interval is worth no more than there are seeds."


def _left_out(found: Findings, *shown: str) -> str:
    count = len(figures.panels([one for one in found.words if one.column not in shown]))
    return f" The first {figures.MOST_PANELS} of {count} panels are shown." if count > figures.MOST_PANELS else ""


def _word(column: str) -> str:
    """A column's name as a part of a file's name."""
    return "".join(letter if letter.isalnum() else "-" for letter in column.split(" [")[0]).strip("-")


def _head(sweep: Sweep, told: dict[str, Any], found: Findings, store: Store) -> str:
    made = told["table"] or {"cells": 0, "missing": told["cells"]}
    facts = [
        ("cells", f"{made['cells']:,} of {told['cells']:,}"),
        ("rows", f"{len(found.rows):,}"),
        ("run by", f"{sweep.backend}: {backends.find(sweep.backend).about}"),
        ("policies", ", ".join(one.name for one in sweep.policies)),
        ("parameters", "; ".join(f"{one.name}: {_values(one.values)}" for one in sweep.parameters) or "none"),
        ("design", f"lhs:{sweep.draws}, seed {sweep.design_seed}" if sweep.draws else "grid"),
        ("seeds", manifest.seeds(sweep)),
        ("penstock", " ".join(filter(None, [told["versions"]["penstock"], told["versions"]["commit"][:12]]))),
    ]
    cells = "".join(f"<div><b>{escape(name)}</b>{escape(str(value))}</div>" for name, value in facts)
    missing = made["missing"]
    warning = (
        f'<p class="warning">Missing cells: {missing:,}. They have not been run, or were set aside.</p>'
        if missing
        else ""
    )
    about = f"<p>{escape(sweep.about)}</p>" if sweep.about else ""
    return (
        f'<header><p class="kind">penstock sweep</p><h1>{escape(sweep.name)}</h1>{about}'
        f'<div class="facts">{cells}</div>{warning}</header>'
    )


def _values(values: object) -> str:
    return ", ".join(values) if isinstance(values, tuple) else str(values)


def _failures(store: Store) -> str:
    failed = list(store.failures())
    if not failed:
        return ""
    lines = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(told['cell']['parameters']))}, seed {told['cell']['seed']}</td>"
        f"<td>{escape(told['traceback'].strip().splitlines()[-1])}</td></tr>"
        for name, told in failed[:_MOST_FAILURES]
    )
    more = f"<p>and {len(failed) - _MOST_FAILURES:,} more in failed/</p>" if len(failed) > _MOST_FAILURES else ""
    return (
        "<section><h2>Set aside</h2><p>These cells failed, and are in no number above; --retry-failed runs them again."
        f'</p><table class="plain"><tbody>{lines}</tbody></table>{more}</section>'
    )


def _again(sweep: Sweep, told: dict[str, Any]) -> str:
    texts = "".join(
        f"<details><summary>{escape(one.name)}</summary><pre>{escape(one.text)}</pre></details>"
        for one in sweep.policies
    )
    versions = ", ".join(f"{name} {value}" for name, value in told["versions"].items() if value)
    return (
        f"<section><h2>How to repeat it</h2><pre>{escape(as_typed(told['command']))}</pre><p>Each cell has a folder in "
        "cells/, named by the digest of what decides it: the code, the policy, the parameters, the seed. The same "
        "command runs only what is missing there. table.parquet has a row for each of a cell's results, with every "
        f'parameter in it.</p>{texts}<p class="about">{escape(versions)}</p></section>'
    )
