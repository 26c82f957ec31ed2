"""A written run of a throughput scenario: a control, a policer, and a freeze."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed import manifest
from testbed.result import Outcome, Row, RowsFile
from testbed.scenario import Kind, Scenario
from testbed.series import Series, SeriesFile
from testbed.workload import Target
from tests.testbed.written import BASE

SCENARIO = Scenario(
    name="slowed",
    question="How slow <is> it?",
    about="A download & its means.",
    policies=("police", "freeze"),
    kind=Kind.THROUGHPUT,
    topology="national",
    targets=(
        Target(name="down", about="the slowed name", host="blocked.example", workload="download", listed=True),
        Target(name="page", about="a page of it", host="blocked.example", workload="web-object", listed=True),
        Target(name="other", about="another name", host="innocent.example", workload="download", listed=False),
        Target(
            name="vpn-down",
            about="through a VPN",
            host="blocked.example",
            workload="download",
            listed=True,
            tool="wireguard",
        ),
    ),
    attempts=5,
    limit_s=40,
)
USUAL: dict[str, Any] = {
    "connect_s": 0.08,
    "tls_s": 0.12,
    "rtt_s": 0.1,
    "min_rtt_s": 0.04,
    "retransmitted": 0.0,
    "bytes": 2_000_000,
    "seconds": 2.0,
}


def five(target: str, policy: str, goodput: float | None, **changes: Any) -> list[Row]:
    """Five attempts whose goodputs lie around the given one."""
    workload = "web-object" if target == "page" else "download"
    tool = "wireguard" if target.startswith("vpn") else ""
    values = {**USUAL, "workload": workload, "tool": tool, "target": target, "policy": policy, **changes}
    return [
        dataclasses.replace(
            BASE,
            **values,
            attempt=number,
            scenario="slowed",
            goodput=None if goodput is None else goodput * (1 + 0.01 * (number - 3)),
        )
        for number in range(1, 6)
    ]


THROTTLED: dict[str, Any] = {
    "outcome": Outcome.THROTTLED,
    "intended": Outcome.THROTTLED,
    "retransmitted": 0.3,
    "rtt_s": 0.05,
    "seconds": 20.0,
    "bytes": 200_000,
}
FROZEN: dict[str, Any] = {
    "outcome": Outcome.BLOCKED,
    "intended": Outcome.BLOCKED,
    "failure": "generic_timeout_error",
    "bytes": 16_000,
    "seconds": 8.5,
}
CONTROL = [row for target in ("down", "page", "other", "vpn-down") for row in five(target, "control", 9e6)]
GOOD = [
    *CONTROL,
    *five("down", "police", 122e3, **THROTTLED),
    *five("page", "police", 120e3, **THROTTLED),
    *five("other", "police", 8.8e6),
    *five("vpn-down", "police", 8.5e6, time_to_tunnel_s=0.4),
    *five("down", "freeze", None, **FROZEN),
    *five("page", "freeze", None, **FROZEN),
    *five("other", "freeze", 9.1e6),
    *five("vpn-down", "freeze", 8.9e6),
]


def series(rate: float, seconds: int = 14) -> Series:
    times = tuple(0.3 + number / 10 for number in range(10 * seconds + 1))
    return Series(times_s=times, bytes=tuple(int(rate / 8 * (one - 0.3)) for one in times), from_s=0.3)


def run_of(folder: Path, some: Sequence[Row] = GOOD) -> dict[str, Any]:
    """Write a finished run; return its manifest."""
    with RowsFile(folder) as file:
        for row in some:
            file.write(row)
    kept = SeriesFile(folder)
    for policy, rate, seconds in (("control", 9e6, 2), ("police", 128e3, 14), ("freeze", 8e3, 9)):
        for number in range(1, 6):
            kept.write(series(rate, seconds), policy=policy, target="down", phase="main", attempt=number)
    kept.close()
    told: list[dict[str, Any]] = [
        {"name": "police", "about": "drops", "text": "name: police", "rate": 128e3},
        {"name": "freeze", "about": "stops", "text": "name: freeze", "rate": None},
    ]
    made = manifest.begin(SCENARIO, run=folder.name, seed=1, policies=told, command=["run", "slowed"])
    made.update(started="2026-01-01T00:00:00Z", ended="2026-01-01T00:01:30Z", finished=True, status=0)
    made["facts"] = {"delay_means": "delay line"}
    manifest.write(folder, made)
    return manifest.read(folder)
