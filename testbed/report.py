"""`report.html`: what was asked, what was found, how it was measured and how to repeat it, on one page without links.

Made from a run folder alone, so that it can be made again. It asks nothing from the network, and runs no script.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from testbed import figures
from testbed.findings import Cell, cells, policies_of, residuals, targets_of
from testbed.manifest import read as read_manifest
from testbed.page import STYLE
from testbed.result import CONTROL, read_rows
from testbed.run import as_typed
from testbed.stats import percent
from testbed.telling import residual_sentence, sentences


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
        _head(manifest),
        _results(found, manifest),
        _policies(found, words, manifest),
        _pictures(drawings),
        _boxes(folder, manifest),
        _method(manifest),
        _again(manifest),
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


def _head(manifest: dict[str, Any]) -> str:
    scenario = manifest["scenario"]
    broken = [check for check in manifest["checks"] if not check["held"]]
    notes = []
    if not manifest["finished"]:
        notes.append("This run was ended before it was over: it shows the attempts made until then.")
    notes += [
        ("No trustworthy result: " if one["lab"] else "Expected but not so: ") + one["text"] + "." for one in broken
    ]
    warning = "".join(f'<p class="warning">{escape(note)}</p>' for note in notes)
    good = "" if notes else '<p class="fine">Everything that had to hold held (see "How it was measured").</p>'
    facts = [
        ("run", manifest["run"]),
        ("when", f"{manifest.get('started', '?')} to {manifest.get('ended', '?')}"),
        ("seed", manifest["seed"]),
        ("attempts", f"{scenario['attempts']} at each target under each policy"),
        ("network", f"emulated, topology {manifest['topology']['name']}"),
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


def _results(found: Sequence[Cell], manifest: dict[str, Any]) -> str:
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
    word = {"ok": "got through", "blocked": "blocked", "some": "partly blocked"}[kind]
    mark = "overblocking" if cell.over else "underblocking" if cell.under else ""
    why = cell.failures[0][0] if cell.failures else ""
    left = f"{cell.suspect + cell.lost} left out" if cell.suspect + cell.lost else ""
    lines = [f"{percent(share.low)} to {percent(share.high)}", why, mark, left]
    small = "".join(f"<small>{escape(line)}</small>" for line in lines if line)
    return f'<td class="{kind}{" off" if mark else ""}"><b>{share.hits} of {share.n}</b> {word}{small}</td>'


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
            "One mark an attempt. Resets fail within a round trip or two; silent drops cost the user the whole time "
            "that the client is willing to wait.",
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


def _boxes(folder: Path, manifest: dict[str, Any]) -> str:
    """What the boxes themselves wrote down: only here are the two sides put beside each other."""
    lines = []
    for policy in policies_of(manifest)[1:]:
        path = folder / policy / "decisions.jsonl"
        if not path.exists():
            continue
        counts: Counter[tuple[str, str, str]] = Counter()
        injected: Counter[tuple[str, str, str]] = Counter()
        for line in path.read_text().splitlines():
            one = json.loads(line)
            key = (str(one["rule"]) or "(no rule)", str(one["action"]) or "-", str(one["verdict"]))
            counts[key] += 1
            injected[key] += int(one["injected"])
        for (rule, action, verdict), count in counts.most_common():
            words = (policy, rule, action, verdict, str(count), str(injected[rule, action, verdict]))
            lines.append("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in words) + "</tr>")
    load = []
    for leg in manifest["legs"]:
        for box, stats in (leg.get("boxes") or {}).items():
            if stats and stats.get("alive"):
                load.append(f"{leg['policy']}/{box}: {stats.get('counters', {}).get('packets', '?')} packets")
    head = "".join(f"<th>{word}</th>" for word in ("policy", "rule", "action", "verdict", "packets", "injected"))
    seen = f"<p>Packets that the boxes were asked about: {escape('; '.join(load))}.</p>" if load else ""
    return (
        "<section><h2>What the boxes did</h2><p>From the boxes' own logs (decisions.jsonl), which the clients above "
        f"never see. Packets that were simply passed are not in it.</p>{seen}"
        f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></section>'
    )


def _method(manifest: dict[str, Any]) -> str:
    scenario, facts = manifest["scenario"], manifest["facts"]
    held = {True: "held", False: "<b>did not hold</b>"}
    checks = "".join(f"<li>{held[one['held']]}: {escape(one['text'])}</li>" for one in manifest["checks"])
    known = "".join(f"<li>{escape(str(name))}: {escape(_flat(value))}</li>" for name, value in facts.items())
    reused = sum(int(leg.get("addresses_reused", 0)) for leg in manifest["legs"])
    again = f" {reused} attempts had to use an address a second time." if reused else ""
    return (
        "<section><h2>How it was measured</h2>"
        f"<p>Host {escape(scenario['subscriber'])} asked, up to {scenario['parallel']} attempts at a time, in a random "
        f"order that the seed fixes; a client gave up after {scenario['limit_s']:g} s. Every attempt came from an "
        f"address of its own.{again} A page counts as got through only if it is the page of the asked host, with a valid "
        "certificate. "
        "Failures carry the strings of OONI's data format df-007. Shares have Wilson score intervals; medians have "
        "order-statistic intervals. An attempt during which the box lost packets, took more than 80 % of a core or "
        "added more than 5 ms to one packet in a hundred is left out of every number, and counted as left out.</p>"
        f"<h3>What had to hold</h3><ul>{checks}</ul><h3>What was used</h3><ul>{known}</ul></section>"
    )


def _again(manifest: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in manifest["versions"].items() if value)
    names = [one["name"] for one in manifest["policies"]]
    leg = names[0] if names else CONTROL
    return (
        "<section><h2>How to repeat it</h2>"
        f"<pre>{escape(as_typed(manifest['command']))}</pre>"
        "<p>The seed fixes the order of attempts and every chance that the boxes take; what the kernel's timing "
        "changes is why each number has an interval. Beside this page lie: manifest.json (all of the above, to repeat "
        f"the run), rows.csv (one row an attempt), and for each policy a folder such as {escape(leg)}/ with what its box "
        "was given (box.pcap), what it decided (decisions.jsonl), and what the client and the servers saw (client.pcap, "
        "server.pcap). "
        "This shows the box's decisions again, without a lab:</p>"
        f"<pre>./penstock replay {escape(leg)} {escape(manifest['run'])}/{escape(leg)}/box.pcap</pre>"
        f'<p class="about">{escape(versions)}</p></section>'
    )


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(one)}" for name, one in value.items())
    return "; ".join(map(_flat, value)) if isinstance(value, list) else str(value)


def _standing_alone(svg: str) -> str:
    return '<?xml version="1.0" encoding="utf-8"?>\n' + svg
