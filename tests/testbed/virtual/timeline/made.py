"""A short timeline of two people in virtual time: one with a VPN, one without."""

from __future__ import annotations

from pathlib import Path

from middlebox.policy import Policy
from testbed.result import Outcome, Row
from testbed.run_folder import Ran
from testbed.timeline.run import run
from testbed.timeline.values import Actor, Kind, Meant, Phase, Stream, Timeline, Transfer
from testbed.virtual.timeline.run import SIMULATED

SHORT = Timeline(
    name="pretended-time",
    question="Does time pass?",
    about="Two people and a censor who wakes up.",
    kind=Kind.MATRIX,
    topology="many",
    phases=(
        Phase(name="before", seconds=4, about="it sleeps"),
        Phase(name="during", seconds=10, about="it is awake", ruled=True),
        Phase(name="after", seconds=6, about="it sleeps again"),
    ),
    policies=("vpn-handshake-block",),
    transfers=(Transfer(name="object", about="a picture", host="innocent.example", bytes=50_000, limit_s=3),),
    actors=(
        Actor(name="direct", subscriber="client", streams=(Stream(transfers=("object",), pause_s=0.5),)),
        Actor(
            name="wireguard",
            subscriber="client2",
            tool="wireguard",
            streams=(Stream(transfers=("object",), pause_s=0.5),),
        ),
    ),
    meant=(Meant(policy="vpn-handshake-block", phase="during", outcome=Outcome.BLOCKED, tools=("wireguard",)),),
    connect_s=2.0,
    patience_s=2.0,
    held_s=2.0,
    renew_s=6.0,
)


def ran(folder: Path, rows: list[Row] | None = None, *, policy: str = "vpn-handshake-block", seed: int = 3) -> Ran:
    folder.mkdir(exist_ok=True)
    keep = rows.append if rows is not None else lambda row: None
    policies = [Policy.load(policy)]
    return run(SHORT, policies, seed=seed, folder=folder, command=["run"], backend=SIMULATED, progress=keep)
