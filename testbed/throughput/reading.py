"""The reading of a run that asks how fast: its checks, its words, and its part of the report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from testbed import tables as box_tables
from testbed.findings import Check, targets_of
from testbed.judging import RULE
from testbed.manifest import read as read_manifest
from testbed.parts import pictures, policies
from testbed.result import read_rows
from testbed.series import read as read_series
from testbed.throughput import figures, findings, tables, telling
from testbed.workloads.transfer import STALL_S

_TITLES = {
    "goodputs": (
        "Goodput by policy and target",
        "Medians with their intervals (95 %, or the range of fewer than six attempts); grey: the same target in the "
        "control. Where nothing got through, a cross "
        "stands at the left.",
    ),
    "over-time": (
        "One download over time",
        "The attempt of median goodput under each policy. A policer lets a full bucket through at once and then drops "
        "what "
        "exceeds its rate, so content comes in steps while TCP backs off; a shaper's content comes evenly; a freeze "
        "is a flat line.",
    ),
    "signatures": (
        "What the sender's kernel saw",
        "One mark an attempt. A policer drops what exceeds its rate and keeps nothing waiting: much is sent again, and "
        "round trips stay what they are. A shaper keeps it waiting: little is sent again, and round trips grow by the "
        "length of its queue.",
    ),
}


def checks(folder: Path) -> list[Check]:
    manifest = read_manifest(folder)
    return findings.checks(findings.cells(read_rows(folder), manifest), manifest)


def summary(folder: Path) -> str:
    manifest = read_manifest(folder)
    return telling.summary(findings.cells(read_rows(folder), manifest), manifest)


def drawings(folder: Path) -> dict[str, str]:
    manifest, rows = read_manifest(folder), read_rows(folder)
    found = findings.cells(rows, manifest)
    (folder / "cells.csv").write_text(tables.as_csv(found))
    drawn = {"goodputs": figures.goodputs(found, manifest)}
    bulk = [one for one in targets_of(manifest) if one["workload"] in ("download", "upload") and one["listed"]]
    direct = [str(one["name"]) for one in bulk if not one["tool"]]
    down = next((str(one["name"]) for one in bulk if one["workload"] == "download" and not one["tool"]), None)
    kept = list(read_series(folder))
    if down and kept:
        drawn["over-time"] = figures.over_time(kept, rows, manifest, down)
    if direct and rows["rtt_s"].notna().any():
        drawn["signatures"] = figures.signatures(rows, manifest, direct)
    return drawn


def sections(folder: Path, drawings: Mapping[str, str]) -> list[str]:
    manifest = read_manifest(folder)
    found = findings.cells(read_rows(folder), manifest)
    return [
        tables.short(found, manifest),
        tables.results(found, manifest),
        policies(manifest, lambda policy: telling.sentences(policy, found, manifest)),
        pictures(drawings, _TITLES),
        box_tables.boxes(folder, manifest),
    ]


def method(manifest: Mapping[str, Any]) -> str:
    rule = RULE.format(stall_s=STALL_S)
    return escape(
        "What came is compared byte for byte with what the server has, and an upload counts as far as the server "
        "acknowledged it. Through a tool an attempt counts only if the server saw it come from that tool's relay, "
        "over the "
        "same connection. Goodput is content by the time that it took, without the handshakes and, for long transfers, "
        "without the first seconds that the target names; so a bucket that is full at first does not raise it. "
        f"{rule} Attempts that a policy slows were made many at a time, each from its own address; those that fill the "
        "subscriber's line, alone. Ratios to the control are Hodges-Lehmann estimates with Moses' exact interval. "
        "Round "
        "trips and what was sent again are those of the sender's kernel (TCP_INFO): the client's for uploads, the "
        "server's for all else."
    )
