"""The findings of a run in words that a student understands, with numbers that a paper can cite.

It counts nothing itself; `findings` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.findings import Cell, ResidualFound, cells, policies_of, residuals, targets_of, together
from testbed.manifest import read as read_manifest
from testbed.result import CONTROL, read_rows
from testbed.stats import Median, percent, wilson


def summary(folder: Path) -> str:
    """The whole run as plain text: a table of blocked shares, and a paragraph for each policy."""
    manifest, rows = read_manifest(folder), read_rows(folder)
    found = cells(rows, manifest)
    parts = ["\n".join(_table(found, manifest))]
    beside = {one.policy: one for one in residuals(rows, manifest)}
    longest_s = float(manifest["scenario"]["residual_wait_s"])
    for policy in policies_of(manifest):
        said = sentences(policy, found, manifest)
        if policy in beside:
            said.append(residual_sentence(beside[policy], longest_s))
        parts.append("\n  ".join([policy, *said]))
    return "\n\n".join(parts)


def _table(found: Sequence[Cell], manifest: dict[str, Any]) -> list[str]:
    policies = policies_of(manifest)
    there = {(cell.policy, cell.target): cell for cell in found}
    lines = [["blocked of tried", *policies]]
    for target in targets_of(manifest):
        line = [str(target["name"])]
        for policy in policies:
            cell = there.get((policy, str(target["name"])))
            mark = "" if cell is None else " over" if cell.over else " under" if cell.under else ""
            line.append("-" if cell is None else f"{cell.blocked.hits}/{cell.blocked.n}{mark}")
        lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(policies) + 1)]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def sentences(policy: str, found: Sequence[Cell], manifest: dict[str, Any]) -> list[str]:
    """What was found under one policy, in words."""
    here = [cell for cell in found if cell.policy == policy]
    if not here:
        return ["No attempt was made."]
    if policy == CONTROL:
        return [*_control(here), *_left_out(here)]
    said = []
    meant = [cell for cell in here if cell.intended == "blocked"]
    spared = [cell for cell in here if cell.intended == "ok"]
    if meant:
        said.append(f"Of the attempts that the policy means to block, it blocked {together(meant)}.")
    if spared:
        said.append(f"Of the others it blocked {together(spared)}.")
    said += _over(here) + _under(here, manifest) + _how(here) + _left_out(here)
    return said


def _control(here: Sequence[Cell]) -> list[str]:
    all_ = together(here)
    said = [f"Without a policy {all_.n - all_.hits} of {all_.n} attempts got through."]
    failing = [cell for cell in here if cell.blocked.hits]
    said += [f"Not so {_name(cell)}: {cell.blocked} failed ({_strings(cell)})." for cell in failing]
    pages = [cell.to_page.value for cell in here if cell.to_page]
    if pages:
        said.append(
            f"The median time to the whole answer lay between {min(pages):.3f} s and {max(pages):.3f} s by target."
        )
    return said


def _over(here: Sequence[Cell]) -> list[str]:
    over = [cell for cell in here if cell.over]
    said = [f"Overblocking (blocked though not meant) of {_name(cell)}: {cell.blocked}." for cell in over]
    if not over:
        said.append("Overblocking (blocked though not meant): none seen.")
    side = [cell for cell in here if not cell.listed and cell.intended == "blocked" and cell.blocked.hits]
    said += [f"Collateral damage: the rules also mean {_name(cell)}, and blocked {cell.blocked}." for cell in side]
    return said


def _under(here: Sequence[Cell], manifest: dict[str, Any]) -> list[str]:
    said = []
    for cell in here:
        if cell.under:
            passed = wilson(cell.blocked.n - cell.blocked.hits, cell.blocked.n)
            why = manifest["scenario"]["gets_through"].get(f"{cell.policy} {cell.target}", "")
            known = f" This is expected: {why}." if why else ""
            said.append(f"Underblocking (got through though meant) of {_name(cell)}: {passed}.{known}")
    if not said:
        said.append("Underblocking (got through though meant): none seen.")
    beyond = [cell for cell in here if cell.listed and cell.intended == "ok" and cell.blocked.hits < cell.blocked.n]
    for cell in beyond:
        through = cell.blocked.n - cell.blocked.hits
        said.append(f"The rules do not mean {_name(cell)}: {through} of {cell.blocked.n} got through.")
    return said


def _how(here: Sequence[Cell]) -> list[str]:
    counts: Counter[str] = Counter()
    for cell in here:
        counts.update(dict(cell.failures))
    if not counts:
        return []
    said = ["The client saw " + ", ".join(f"{name} ({count})" for name, count in counts.most_common()) + "."]
    times = [(cell.to_failure, cell) for cell in here if cell.to_failure]
    if times:
        fast = min(times, key=lambda one: one[0].value)
        slow = max(times, key=lambda one: one[0].value)
        ends = f"{_time(fast[0])} ({fast[1].target}) and {_time(slow[0])} ({slow[1].target})"
        span = f"was {_time(fast[0])} ({fast[1].target})" if len(times) == 1 else f"lay between {ends}"
        said.append(f"The median time to failure {span}.")
    return said


def _left_out(here: Sequence[Cell]) -> list[str]:
    suspect, lost = sum(cell.suspect for cell in here), sum(cell.lost for cell in here)
    if not suspect and not lost:
        return []
    return [f"Left out of all numbers: {suspect} attempts because the box was overloaded, {lost} without a result."]


def residual_span(found: ResidualFound) -> str:
    """How long it lasted, for a table."""
    if not found.triggers or not found.probes:
        return "not measured"
    if found.waiting:
        return "still being measured"
    last, free = found.last_blocked_s, found.first_free_s
    if last is None and found.by_port_alone:
        return "not asked: 4-tuples"
    if last is None:
        return f"none seen up to {found.probes[-1][0]:.0f} s"
    return f"more than {last:.0f} s" if free is None else f"{last:.1f} to {free:.1f} s"


def residual_sentence(found: ResidualFound, longest_s: float) -> str:
    """What was found about residual censorship under one policy."""
    if not found.triggers:
        return "Residual censorship was not measured: the trigger was not blocked."
    if not found.probes:
        return "Residual censorship was not measured: no probe could be trusted."
    if found.waiting:
        so_far = f"the last probe, {found.probes[-1][0]:.1f} s after its trigger,"
        got = "got through" if found.probes[-1][0] != found.last_blocked_s else "was blocked"
        return f"Residual censorship is still being measured; {so_far} {got}."
    blocked = sum(one for _, one in found.probes)
    last, free = found.last_blocked_s, found.first_free_s
    beside = {
        True: " Another address of the subscriber was hit as well.",
        False: " Another address of the subscriber was not hit.",
        None: "",
    }[found.neighbour_blocked]
    if last is None:
        times = f"{found.probes[0][0]:.1f} s to {found.probes[-1][0]:.1f} s after the trigger"
        count = len(found.probes)
        if found.by_port_alone:
            return (
                "Residual censorship of the kind that this policy has was not asked for: it remembers 4-tuples, and "
                f"each probe comes from a port of its own, so that none can meet that memory. {count} probes of an "
                f"innocent name on the same server got through, {times}."
            )
        return (
            f"No residual censorship was seen: {count} probes of an innocent name on the same server, from the address "
            f"that had asked for the blocked one, got through, {times}."
        )
    before = [one for when, one in found.probes if when <= last]
    share = f" ({percent(sum(before) / len(before))} of the probes until then)" if not all(before) else ""
    if free is None:
        return (
            f"Residual censorship had not ended {last:.1f} s after the trigger, with the last probe of this run "
            f"(its longest wait was {longest_s:g} s; --set residual_wait=SECONDS waits longer). "
            f"{blocked} of {len(found.probes)} probes were blocked.{beside}"
        )
    return (
        "Residual censorship: after the trigger an innocent name on the same server stayed blocked for that client "
        f"address for between {last:.1f} s and {free:.1f} s{share}.{beside}"
    )


def _name(cell: Cell) -> str:
    return f"'{cell.target}'"


def _strings(cell: Cell) -> str:
    return ", ".join(f"{name} {count} times" for name, count in cell.failures)


def _time(found: Median) -> str:
    return f"{found.value:.3f} s"
