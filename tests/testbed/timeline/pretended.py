"""A lab with a tool that are not there: hosts answer like curl, a prober and a VPN, under a sleepy censor.

While it is awake (in the phase "during") it lets nothing of `media.example` through, nor any new tunnel.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from middlebox.policy import Policy
from testbed.result import Outcome
from testbed.sites import Site, place
from testbed.timeline.values import Actor, Claim, Kind, Meant, Phase, Stream, Timeline, Transfer
from testbed.tool import Host, NotUp, Via
from testbed.topology import Topology
from tests.testbed.pretended import GOOD_STATS
from tests.testbed.workloads.on_this_machine import Ended

EXIT = "198.51.100.201"
POLICY = "sni-drop"

TIMELINE = Timeline(
    name="pretended-time",
    question="Does time pass?",
    about="Two people <& a censor> who wakes up.",
    kind=Kind.SYMPTOMS,
    topology="national",
    phases=(
        Phase(name="before", seconds=0.4, about="it sleeps"),
        Phase(name="during", seconds=0.6, about="it is awake", ruled=True),
        Phase(name="after", seconds=0.5, about="it sleeps again"),
    ),
    policies=(POLICY,),
    transfers=(
        Transfer(name="text", about="a text", host="chat.example", bytes=1000, limit_s=0.25),
        Transfer(name="photo", about="a photo", host="media.example", bytes=200_000, limit_s=0.25),
    ),
    actors=(
        Actor(
            name="anna",
            subscriber="client",
            streams=(Stream(transfers=("text",), pause_s=0.05), Stream(transfers=("photo",), pause_s=0.05)),
        ),
        Actor(
            name="anna, VPN",
            subscriber="client2",
            tool="pretended-vpn",
            streams=(Stream(transfers=("text", "photo"), pause_s=0.05),),
        ),
    ),
    meant=(
        Meant(policy=POLICY, phase="during", outcome=Outcome.BLOCKED, tools=("",), transfers=("photo",)),
        Meant(policy=POLICY, phase="during", outcome=Outcome.BLOCKED, tools=("pretended-vpn",), why="by its name"),
    ),
    claims=(
        Claim(text="photos fail", policy=POLICY, phase="during", transfers=("photo",), through=False, at_most=0.2),
        Claim(text="text passes", policy=POLICY, phase="during", transfers=("text",), through=False, at_least=0.9),
    ),
    limits=("It says nothing.",),
    connect_s=0.2,
    patience_s=0.5,
    probe_s=0.1,
    held_s=0.05,
    renew_s=1.0,
)


class Running:
    """A program in the background."""

    pid = 7
    error = ""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def signal(self, number: int) -> None:
        self.ended.set()

    def poll(self) -> int | None:
        return 0 if self.ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int | None:
        return 0 if self.ended.wait(timeout) else None

    def close(self) -> None:
        self.ended.set()


class PretendedHost:
    """Answers curl's command line, and probes for as long as its prober runs."""

    def __init__(self, lab: PretendedTimelineLab, name: str) -> None:
        self._lab = lab
        self.name = name
        self.ipv4 = lab.topology.node(name).ipv4

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        input: str | bytes = b"",
    ) -> Ended:
        assert argv[0] == "curl"
        if self._lab.gone:
            raise OSError("lab is gone")
        limit_s = float(argv[argv.index("--max-time") + 1])
        wanted = int(argv[argv.index("--range") + 1].partition("-")[2]) + 1
        source = argv[argv.index("--interface") + 1].removeprefix("host!")
        through = source.startswith("10.8.")
        stuck = "media.example" in argv[-1] and not through and self._lab.awake
        time.sleep(limit_s if stuck else 0.02)
        return curl_said(wanted, stuck=stuck, seconds=limit_s if stuck else 0.02, exit=EXIT if through else source)

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> Running:
        running = Running()
        assert stdout is not None
        every_s, source = float(argv[-4]), argv[-2]
        exit = EXIT if source else self.ipv4
        words = (os.dup(stdout), every_s, exit, running.ended)
        threading.Thread(target=self._probe, args=words, daemon=True).start()
        return running

    def _probe(self, out: int, every_s: float, exit: str, ended: threading.Event) -> None:
        with os.fdopen(out, "w") as lines:
            while not ended.is_set():
                now_s = time.time()
                up = exit != EXIT or self._lab.up
                said: dict[str, object] = {"t": now_s, "ended": now_s + 0.01, "ok": up}
                said |= {"exit": exit, "seconds": 0.01, "rtt": 0.005} if up else {"why": "timeout"}
                lines.write(json.dumps(said) + "\n")
                lines.flush()
                ended.wait(every_s)


def curl_said(size: int, *, stuck: bool = False, seconds: float = 0.02, exit: str = EXIT, status: int = 206) -> Ended:
    report = {
        "exitcode": 28 if stuck else 0,
        "errormsg": "Operation timed out" if stuck else None,
        "http_code": 0 if stuck else status,
        "size_download": 0 if stuck else size,
        "time_total": seconds,
        "time_connect": 0.004,
        "time_appconnect": 0.0 if stuck else 0.008,
        "time_starttransfer": 0.0 if stuck else 0.01,
    }
    heads = "" if stuck else f"HTTP/2 {status} \r\nx-from: {exit}\r\n\r\n"
    return Ended(stdout=f"{heads}\n{json.dumps(report)}", status=28 if stuck else 0)


class PretendedTool:
    """A tunnel whose handshake the censor blocks while it is awake."""

    name = "pretended-vpn"
    about = "a VPN that is not there"

    def __init__(self) -> None:
        self.served: list[PretendedServer] = []

    def means(self) -> str:
        return "words"

    def serve(self, relay: Host, limit_s: float = 30.0) -> PretendedServer:
        self.served.append(PretendedServer(relay))
        return self.served[-1]


class PretendedServer:
    address = EXIT
    pids = (8,)

    def __init__(self, relay: Host) -> None:
        assert isinstance(relay, PretendedHost)
        self.lab = relay._lab
        self.dead = False
        self.closed = False

    def connect(self, client: Host, limit_s: float, source: str = "") -> PretendedTunnel:
        if self.lab.awake:
            time.sleep(limit_s)
            raise NotUp("pretended-vpn", "generic_timeout_error", limit_s, "no answer")
        time.sleep(0.02)
        self.lab.up = True
        return PretendedTunnel(self.lab)

    def alive(self) -> bool:
        return not self.dead

    def log(self) -> str:
        return "I serve"

    def close(self) -> None:
        self.closed = True


class PretendedTunnel:
    via = Via(source="10.8.0.2", interface="tun0", exit=EXIT)
    ready_s = 0.02
    pids = (9,)

    def __init__(self, lab: PretendedTimelineLab) -> None:
        self._lab = lab
        self.lives = True

    def alive(self) -> bool:
        return self.lives

    def reconnects(self) -> int:
        return 0

    def log(self) -> str:
        return ""

    def close(self) -> None:
        self.lives = False
        self._lab.up = False


class PretendedTimelineLab:
    """Stands in for `testbed.Lab`."""

    ALL: list[PretendedTimelineLab]
    STATS: dict[str, Any]

    def __init__(
        self, policy: Policy | None, topology: Topology, sites: Iterable[str], seed: int, out: Path, workers: int = 1
    ) -> None:
        self.censors = policy is not None
        self.workers = workers
        self.topology, self.out, self.seed = topology, out, seed
        self.sites: tuple[Site, ...] = place(sites)
        self.boxes: tuple[str, ...] = ("box",) if policy else ()
        self.phases: list[str] = []
        self.up = False  # the tunnel
        self.gone = False
        self.stopped = False
        type(self).ALL.append(self)

    @property
    def awake(self) -> bool:
        return self.censors and self.phases[-1:] == ["during"]

    def start(self) -> PretendedTimelineLab:
        self.out.mkdir(parents=True)
        return self

    def stop(self) -> None:
        self.stopped = True

    def host(self, name: str) -> PretendedHost:
        return PretendedHost(self, name)

    def enter_phase(self, phase: str) -> None:
        self.phases.append(phase)

    def box_stats(self, name: str = "box", *, reset: bool = False) -> dict[str, Any]:
        return dict(type(self).STATS)

    def facts(self) -> dict[str, Any]:
        return {"delay_means": "none", "versions": {"nginx": "1.22"}}

    def link_stats(self) -> None:
        return None

    def dead(self) -> list[str]:
        return []


def measured(rows: pd.DataFrame, phase: str, column: str) -> float:
    """The column of the only row of a phase."""
    (value,) = rows[rows["phase"] == phase][column]
    return float(value)


def fresh() -> None:
    """Forget the labs of the test before."""
    PretendedTimelineLab.ALL, PretendedTimelineLab.STATS = [], dict(GOOD_STATS)
