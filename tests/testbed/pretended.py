"""A lab that is not there: hosts answer like curl would under a censor that blocks `blocked.example` by resets.

For tests of what happens around a lab; it takes no time, needs no kernel, and forgets after `MEMORY_S`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from middlebox.policy import Policy
from testbed.scenario import Residual, Scenario
from testbed.sites import Site, place
from testbed.topology import Topology
from testbed.workload import Target
from tests.testbed.workloads.on_this_machine import Ended

MEMORY_S = 0.6  #: how long the pretended censor remembers a client that it has reset

SCENARIO = Scenario(
    name="pretended",
    question="Does it work?",
    about="Two names <& one server>.",
    policies=("sni-drop",),
    topology="small",
    targets=(
        Target(name="blocked", about="the blocked name", host="blocked.example", workload="web", listed=True),
        Target(name="innocent", about="another name", host="innocent.example", workload="web", listed=False),
    ),
    attempts=10,
    residual=Residual(trigger="blocked", probe="innocent"),
    residual_wait_s=0,
)


def page(host: str) -> str:
    return _said(0, "", f"This is {host} at 203.0.113.10.")


def reset(host: str) -> str:
    return _said(35, f"OpenSSL SSL_connect: Connection reset by peer in connection to {host}:443", "")


def _said(code: int, message: str, body: str) -> str:
    report = {
        "exitcode": code,
        "errormsg": message,
        "http_code": 0 if code else 200,
        "size_download": len(body),
        "time_total": 0.08 if code else 0.1,
        "time_connect": 0.0001,
        "time_appconnect": 0.0 if code else 0.06,
        "time_starttransfer": 0.0 if code else 0.1,
        "remote_ip": "203.0.113.10",
    }
    return body + "\n" + json.dumps(report)


class PretendedCommand:
    """Was started, and says nothing."""

    pid, error = 1, ""

    def signal(self, number: int) -> None: ...
    def poll(self) -> int | None:
        return 0

    def wait(self, timeout: float | None = None) -> int | None:
        return 0

    def close(self) -> None: ...


class PretendedHost:
    """Answers curl's command line."""

    ipv4 = "10.0.0.1"

    def __init__(self, lab: PretendedLab, name: str) -> None:
        self._lab = lab
        self.name = name

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> PretendedCommand:
        if stdout is not None:
            os.write(stdout, b"ready\n")
        return PretendedCommand()

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        input: str | bytes = b"",
    ) -> Ended:
        if argv[0] != "curl":
            return Ended(status=127, stderr=f"{argv[0]}: not found")
        name = argv[-1].removeprefix("https://").rstrip("/")
        source = argv[argv.index("--interface") + 1].removeprefix("host!")
        self._lab.asked.append((name, source))
        if not self._lab.censors:
            return Ended(stdout=page(name))
        now_s = time.monotonic()
        listed = name == "blocked.example" or name.endswith(".blocked.example")
        hit = listed or now_s - self._lab.triggered.get(source, -1e9) < MEMORY_S
        if listed:
            self._lab.triggered.setdefault(source, now_s)
        return Ended(stdout=reset(name) if hit else page(name))


class PretendedLab:
    """Stands in for `testbed.Lab`; `ALL` holds those that were made, `STATS` what their boxes say of their load."""

    ALL: list[PretendedLab]
    STATS: dict[str, Any]

    def __init__(
        self, policy: Policy | None, topology: Topology, sites: Iterable[str], seed: int, out: Path, workers: int = 1
    ) -> None:
        self.censors = policy is not None
        self.workers = workers
        self.topology, self.out, self.seed = topology, out, seed
        self.sites: tuple[Site, ...] = place(sites)
        self.boxes: tuple[str, ...] = ("box",) if policy else ()
        self.asked: list[tuple[str, str]] = []
        self.triggered: dict[str, float] = {}
        self.up = False
        type(self).ALL.append(self)

    def start(self) -> PretendedLab:
        self.up = True
        self.out.mkdir(parents=True)
        if self.censors:
            row = {"t_ns": 1, "box": "box", "flow": "", "packet": 0, "rule": "sni", "action": "reset"}
            text = json.dumps({**row, "verdict": "pass", "injected": 6, "reason": ""})
            (self.out / "decisions.jsonl").write_text(text + "\n")
        return self

    def stop(self) -> None:
        self.up = False

    def host(self, name: str) -> PretendedHost:
        return PretendedHost(self, name)

    def box_stats(self, name: str = "box", *, reset: bool = False) -> dict[str, Any]:
        return dict(type(self).STATS)

    def facts(self) -> dict[str, Any]:
        planes = {box: {"data_plane": "kernel"} for box in self.boxes}
        return {"delay_means": "none", "versions": {"nginx": "1.22"}, "data_plane": planes}

    def link_stats(self) -> None:
        return None

    def dead(self) -> list[str]:
        return []


GOOD_STATS: dict[str, Any] = {"alive": True, "queue_drops": 0, "added_p99_s": 0.0004, "cpu_share": 0.02}
