"""Rows and a manifest written by hand, for tests of what is said about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from testbed import manifest
from testbed.result import Fidelity, Outcome, Row, RowsFile, read_rows
from tests.testbed.pretended import SCENARIO

BASE = Row(
    run="r",
    scenario="pretended",
    backend="emulate",
    seed=1,
    policy="control",
    subscriber="client",
    access="direct",
    tool="",
    workload="web",
    target="innocent",
    attempt=1,
    phase="main",
    started_s=1_800_000_000.0,
    outcome=Outcome.OK,
    failure="",
    seconds=0.2,
    time_to_first_byte=0.2,
    goodput=1.0,
    bytes=20,
    intended=Outcome.OK,
    fidelity=Fidelity.OK,
)


def rows(count: int, **changes: Any) -> list[Row]:
    """Some rows alike; a `failure` makes them blocked."""
    if changes.get("failure"):
        changes = {"outcome": Outcome.BLOCKED, "bytes": None, "goodput": None, "time_to_first_byte": None, **changes}
    return [dataclasses.replace(BASE, attempt=number, **changes) for number in range(1, count + 1)]


def suspect(some: Sequence[Row]) -> list[Row]:
    return [dataclasses.replace(row, fidelity=Fidelity.SUSPECT, fidelity_reason="slow") for row in some]


def run_of(folder: Path, some: Sequence[Row], *, policies: Sequence[str] = ("sni-drop",)) -> dict[str, Any]:
    """Write a finished run's rows and manifest; return the manifest."""
    with RowsFile(folder) as file:
        for row in some:
            file.write(row)
    told = [{"name": name, "about": f"about {name}", "text": f"name: {name}  # <&>"} for name in policies]
    made = manifest.begin(SCENARIO, run=folder.name, seed=1, policies=told, command=["run", "pretended"])
    made.update(started="2026-01-01T00:00:00Z", ended="2026-01-01T00:01:30Z", finished=True, status=0)
    made["facts"] = {"delay_means": "none", "versions": {"nginx": "1.22"}}
    manifest.write(folder, made)
    return manifest.read(folder)


def table(folder: Path) -> pd.DataFrame:
    return read_rows(folder)


#: a run in which all is as it should be: 10 attempts in each of four cells
GOOD = [
    *rows(10),
    *rows(10, target="blocked"),
    *rows(10, policy="sni-drop"),
    *rows(
        10,
        policy="sni-drop",
        target="blocked",
        failure="generic_timeout_error",
        seconds=3.0,
        intended=Outcome.BLOCKED,
    ),
]
