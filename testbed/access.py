"""The reading of a run that asks who gets through: its checks, its words, and its part of the report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from testbed import figures, findings, tables, telling
from testbed.manifest import read as read_manifest
from testbed.parts import pictures, policies
from testbed.result import read_rows

_TITLES = {
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


def checks(folder: Path) -> list[findings.Check]:
    manifest = read_manifest(folder)
    return findings.checks(findings.cells(read_rows(folder), manifest), manifest)


def summary(folder: Path) -> str:
    return telling.summary(folder)


def drawings(folder: Path) -> dict[str, str]:
    manifest, rows = read_manifest(folder), read_rows(folder)
    beside = findings.residuals(rows, manifest)
    drawn = {
        "shares": figures.shares(findings.cells(rows, manifest), manifest),
        "times": figures.times(rows, manifest),
    }
    if any(one.probes for one in beside):
        drawn["residual"] = figures.residual([one for one in beside if one.probes])
    return drawn


def sections(folder: Path, drawings: Mapping[str, str]) -> list[str]:
    manifest, rows = read_manifest(folder), read_rows(folder)
    found, beside = findings.cells(rows, manifest), findings.residuals(rows, manifest)
    longest_s = float(manifest["scenario"]["residual_wait_s"])
    words = {one.policy: telling.residual_sentence(one, longest_s) for one in beside}

    def said(policy: str) -> list[str]:
        return telling.sentences(policy, found, manifest) + ([words[policy]] if policy in words else [])

    return [
        tables.short(found, beside, manifest),
        tables.results(found, manifest),
        policies(manifest, said),
        pictures(drawings, _TITLES),
        tables.boxes(folder, manifest),
    ]


def method(manifest: Mapping[str, Any]) -> str:
    return escape(
        "A page counts as got through only if it is the page of the asked host, with a valid certificate; "
        "a name, only if the answer is an address that it really has."
    )
