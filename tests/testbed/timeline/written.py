"""Rows and a manifest of a timeline written by hand, for tests of what is said about them.

Every leg is 100 s long: before from 0 to 20, during to 70, after to 100.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from testbed import manifest
from testbed.result import CONTROL, Outcome, Row, RowsFile, read_rows
from testbed.timeline.rows import CONNECT, STAY, TRANSFER
from testbed.timeline.series import Probe
from testbed.timeline.values import Kind, Timeline
from tests.testbed.timeline.pretended import EXIT, POLICY, TIMELINE
from tests.testbed.written import BASE

BEGIN_S = 1_800_000_000.0
SPANS = (("before", 0.0, 20.0), ("during", 20.0, 70.0), ("after", 70.0, 100.0))
_PEOPLE = {"anna": ("client", "fixed", ""), "vpn": ("client2", "mobile", "pretended-vpn")}


def row(
    who: str,
    at_s: float,
    *,
    policy: str = POLICY,
    seconds: float = 0.5,
    target: str = "photo",
    failure: str = "",
    **more: Any,
) -> Row:
    """A transfer."""
    subscriber, access, tool = _PEOPLE[who]
    outcome = Outcome.BLOCKED if failure else Outcome.OK
    words = {
        "workload": TRANSFER,
        "outcome": outcome,
        "goodput": None if failure else 1e6 / seconds,
        "phase": next(name for name, begin, end in SPANS if begin <= at_s < end),
        "exit_address": EXIT if tool else "",
        **more,
    }
    return dataclasses.replace(
        BASE,
        scenario=TIMELINE.name,
        policy=policy,
        subscriber=subscriber,
        access=access,
        tool=tool,
        target=target,
        started_s=BEGIN_S + at_s,
        seconds=seconds,
        failure=failure,
        **words,
    )


def tried(at_s: float, *, policy: str = POLICY, failure: str = "", attempts: int = 1, seconds: float = 0.3) -> Row:
    """An attempt to connect."""
    return row(
        "vpn",
        at_s,
        policy=policy,
        target="pretended-vpn",
        failure=failure,
        seconds=seconds,
        workload=CONNECT,
        goodput=None,
        time_to_tunnel_s=None if failure else seconds * attempts,
        tunnel_attempts=attempts,
    )


def stayed(
    who: str, phase: str, *, policy: str = POLICY, outage_s: float = 0.0, recovery_s: float | None = None
) -> Row:
    """A whole phase of an actor."""
    begin, end = next((begin, end) for name, begin, end in SPANS if name == phase)
    more: dict[str, Any] = {"longest_outage_s": outage_s, "recovery_s": recovery_s, "reconnects": 0, "rtt_s": 0.05}
    return row(who, begin, policy=policy, seconds=end - begin, target=phase, workload=STAY, goodput=None, **more)


def good(*, policy: str) -> list[Row]:
    """Everybody gets what he asks for, all the time."""
    rows = [tried(0.0, policy=policy)]
    for who in _PEOPLE:
        for target in ("text", "photo"):
            rows += [row(who, at_s, policy=policy, target=target) for at_s in range(1, 99, 2)]
        rows += [stayed(who, phase, policy=policy) for phase, _, _ in SPANS]
    return rows


def bad() -> list[Row]:
    """The policy lets no photo through while it is awake, and no new tunnel; the old one lives for a few seconds."""
    rows = [tried(0.0)]
    for at_s in range(1, 99, 2):
        awake = 20 <= at_s < 70
        meant = Outcome.BLOCKED if awake else Outcome.OK
        timed_out = "generic_timeout_error" if awake else ""
        rows.append(row("anna", at_s, target="text"))
        rows.append(row("anna", at_s, failure=timed_out, intended=meant))
        cut = timed_out if at_s > 20.04 + 1 else ""
        rows += [row("vpn", at_s, target=target, failure=cut, intended=meant) for target in ("text", "photo")]
    rows += [
        tried(at_s, failure="generic_timeout_error", attempts=number) for number, at_s in enumerate((30, 40, 50), 1)
    ]
    rows.append(tried(72, attempts=4))
    rows += [stayed("anna", phase) for phase, _, _ in SPANS]
    rows += [stayed("vpn", "before"), stayed("vpn", "during", outage_s=48), stayed("vpn", "after", recovery_s=2.5)]
    return rows


def run_of(
    folder: Path,
    some: Sequence[Row],
    timeline: Timeline = TIMELINE,
    *,
    finished: bool = True,
    anew: dict[str, dict[str, float]] | None = None,
) -> dict[str, Any]:
    """Write a run's rows, probes and manifest; return the manifest. `anew`: what the probes say, in every leg."""
    with RowsFile(folder) as file:
        for one in some:
            file.write(one)
    told = [{"name": POLICY, "about": f"about {POLICY}", "text": f"name: {POLICY}  # <&>"}]
    described: Any = timeline
    made = manifest.begin(described, run=folder.name, seed=1, policies=told, command=["run", timeline.name])
    made["tools"] = {"pretended-vpn": {"about": "a VPN that is not there", "means": "words"}}
    made["facts"] = {"delay_means": "none"}
    made.update(started="2026-01-01T00:00:00Z", ended="2026-01-01T00:03:20Z", finished=finished, status=0)
    for policy in dict.fromkeys(one.policy for one in some):
        phases = [[name, BEGIN_S + begin, BEGIN_S + end] for name, begin, end in SPANS]
        made["legs"].append(
            {"policy": policy, "folder": policy, "phases": phases, "boxes": {}, "anew": dict(anew or {})}
        )
        (folder / policy).mkdir(exist_ok=True)
        probes = [
            Probe(
                actor=actor.name, t=BEGIN_S + at_s, ended=BEGIN_S + at_s + 0.1, ok=not (actor.tool and 25 < at_s < 72)
            )
            for actor in timeline.actors
            for at_s in range(100)
        ]
        lines = [json.dumps(asdict(probe)) for probe in probes]
        (folder / policy / "series.jsonl").write_text("\n".join(lines) + "\n")
    manifest.write(folder, made)
    return manifest.read(folder)


def whole(folder: Path, kind: Kind = Kind.SYMPTOMS) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows and the manifest of a run in which all is as it is meant."""
    timeline = dataclasses.replace(TIMELINE, kind=kind, held_s=5)
    made = run_of(folder, [*good(policy=CONTROL), *bad()], timeline)
    return read_rows(folder), made
