"""The findings of a timeline in plain words and as plain text. It counts nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.findings import policies_of
from testbed.manifest import read as read_manifest
from testbed.result import read_rows
from testbed.timeline.matrix import Cell, Class, cells, knows
from testbed.timeline.symptoms import Answer, Symptom, Word, answers, phases_of, symptoms, ways_of
from testbed.timeline.values import Kind

#: of a policy of the user's own, or a changed copy of a shipped one
NOT_KNOWN = "What this policy means is not known to the scenario, which knows its own policies as they are shipped."


def summary(folder: Path) -> str:
    """The whole run as plain text: its matrix, and what was found."""
    manifest, rows = read_manifest(folder), read_rows(folder)
    if Kind(manifest["scenario"]["kind"]) is Kind.MATRIX:
        found = cells(rows, manifest)
        parts = ["\n".join(_tools(found, manifest))]
        for policy in policies_of(manifest)[1:]:
            parts.append("\n  ".join([policy, *sentences(policy, found)]))
        return "\n\n".join(parts)
    noticed, said = symptoms(rows, manifest), answers(rows, manifest)
    parts = ["\n".join(_symptoms(noticed, manifest, policy)) for policy in policies_of(manifest)[1:]]
    parts.append("\n".join(answered(one) for one in said))
    parts += [f"{policy}: {NOT_KNOWN}" for policy in policies_of(manifest)[1:] if not knows(manifest, policy)]
    return "\n\n".join(part for part in parts if part)


def answered(one: Answer) -> str:
    """A claim and what was measured of it."""
    return f"{'Yes' if one.held else 'Not so' if one.known else 'No result'}: {one.text} ({one.measured})."


def sentences(policy: str, found: Sequence[Cell]) -> list[str]:
    """What one policy did to the tools, in words."""
    here = [one for one in found if one.policy == policy]
    tools = [one for one in here if one.tool]
    said = []
    for word, text in (
        (Class.BLOCKED, "Nothing came through"),
        (Class.DEGRADED, "Degraded"),
        (Class.UNTOUCHED, "Untouched"),
        (Class.UNKNOWN, "No result for"),
    ):
        names = [one for one in tools if one.word is word]
        if not names:
            continue
        if word is Class.DEGRADED:
            told = "; ".join(f"{one.actor} ({', '.join(one.reasons)})" for one in names)
        else:
            told = ", ".join(one.actor for one in names)
        said.append(f"{text}: {told}.")
    survived = [one.actor for one in tools if one.word is Class.BLOCKED and one.held.ok.hits]
    if survived:
        said.append(f"Connections that were open when it woke up still carried something: {', '.join(survived)}.")
    tried, failed = sum(one.tries.n for one in tools), sum(one.tries.hits for one in tools)
    if failed:
        said.append(f"Of {tried} attempts to connect while it was awake {failed} failed.")
    back = [one for one in tools if one.recovery_s is not None]
    if back:
        slowest = max(back, key=lambda one: one.recovery_s or 0.0)
        said.append(
            f"After its end the tools answered again within {slowest.recovery_s:.1f} s, {slowest.actor} as the last."
        )
    never = [one.actor for one in tools if one.recovery_s is None and one.stayed_after]
    if never:
        said.append(f"No answer any more until the end of the run: {', '.join(never)}.")
    hit = [one for one in here if not one.tool and one.word in (Class.BLOCKED, Class.DEGRADED)]
    said += [f"Who used no tool was hit as well: {one.actor} ({', '.join(one.reasons)})." for one in hit]
    lost = [one.actor for one in here if not one.tool and one.word is Class.UNKNOWN]
    if lost:
        said.append(f"No result for who used no tool: {', '.join(lost)}.")
    off = [f"{one.actor} (meant {one.meant.value}, found {one.word.value})" for one in here if one.meant and one.off]
    if off:
        said.append(f"Not as the policy says: {', '.join(off)}.")
    if any(one.meant is None for one in here):
        said.append(NOT_KNOWN)
    return said


def _tools(found: Sequence[Cell], manifest: dict[str, Any]) -> list[str]:
    policies = policies_of(manifest)[1:]
    there = {(one.policy, one.actor): one for one in found}
    lines = [["", *policies]]
    for actor in manifest["scenario"]["actors"]:
        name = str(actor["name"])
        words = [there[policy, name].word.value + (" !" if there[policy, name].off else "") for policy in policies]
        lines.append([name, *words])
    return _aligned(lines)


def _symptoms(found: Sequence[Symptom], manifest: dict[str, Any], policy: str) -> list[str]:
    there = {(one.phase, one.access, one.through, one.transfer): one for one in found if one.policy == policy}
    ways = ways_of(manifest)
    lines = [[policy, "", *(f"{access}{' VPN' if through else ''}" for access, through in ways)]]
    for phase in phases_of(manifest):
        for transfer in manifest["scenario"]["transfers"]:
            cells_ = [there[phase, access, through, str(transfer["name"])] for access, through in ways]
            words = [
                one.word.value if one.word is Word.UNKNOWN else f"{one.word.value} {one.group.ok.hits}/{one.group.ok.n}"
                for one in cells_
            ]
            lines.append([phase, str(transfer["name"]), *words])
    return _aligned(lines)


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
