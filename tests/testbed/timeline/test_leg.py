"""A leg in a real lab: a VPN that really is up, under a policy that wakes and sleeps."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from pathlib import Path

import pytest

from middlebox.policy import Policy
from testbed.emulate.outside import LabError
from testbed.lab import Lab
from testbed.result import Row, read_rows
from testbed.timeline import run
from testbed.timeline.values import Actor, Kind, Phase, Stream, Timeline, Transfer
from testbed.tools import TOOLS
from tests.testbed.emulate.residue import Footprint
from tests.testbed.timeline.pretended import measured

TIMELINE = Timeline(
    name="a-real-leg",
    question="Does it hold?",
    about="WireGuard, and nobody beside it.",
    kind=Kind.MATRIX,
    topology="national",
    phases=(
        Phase(name="before", seconds=4, about=""),
        Phase(name="during", seconds=7, about="", ruled=True),
        Phase(name="after", seconds=6, about=""),
    ),
    policies=("vpn-handshake-block",),
    transfers=(Transfer(name="object", about="", host="innocent.example", bytes=20_000, limit_s=3),),
    actors=(
        Actor(name="direct", subscriber="client", streams=(Stream(transfers=("object",), pause_s=0.2),)),
        Actor(
            name="wireguard",
            subscriber="client2",
            tool="wireguard",
            streams=(Stream(transfers=("object",), pause_s=0.2),),
        ),
    ),
    connect_s=3.0,
    held_s=2.0,
)


@pytest.mark.lab
def test_an_open_tunnel_stays_a_new_one_is_blocked_and_afterwards_it_comes_back(tmp_path: Path) -> None:
    run.run(TIMELINE, [Policy.load("vpn-handshake-block")], seed=1, folder=tmp_path, command=["run"])
    rows = read_rows(tmp_path)
    assert set(rows["fidelity"]) <= {"ok", "suspect"}
    ours = rows[(rows["policy"] == "vpn-handshake-block") & (rows["tool"] == "wireguard")]
    tries = ours[ours["workload"] == "connect"]
    assert set(tries[tries["phase"] == "during"]["outcome"]) == {"blocked"}
    assert tries["outcome"].iloc[0] == tries["outcome"].iloc[-1] == "ok"
    transfers = ours[ours["workload"] == "transfer"]
    assert "ok" in set(transfers[transfers["phase"] == "during"]["outcome"]), "through the tunnel that was open"
    assert set(transfers[transfers["outcome"] == "ok"]["exit_address"]) == {"198.51.100.201"}
    direct = rows[(rows["tool"] == "") & (rows["workload"] == "transfer")]
    assert set(direct["outcome"]) == {"ok"}
    stay = ours[ours["workload"] == "stay"]
    assert measured(stay, "during", "longest_outage_s") > 2
    assert 0 <= measured(stay, "after", "recovery_s") < 6
    assert measured(stay, "before", "rtt_s") > 0.03  # the links take 38 ms there and back


@pytest.mark.lab
@pytest.mark.parametrize("victim", ["server", "box", "lab"])
def test_whatever_is_killed_half_way_leaves_marked_rows_and_nothing_behind(
    victim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs: list[Lab] = []
    before, during, _ = TIMELINE.phases
    timeline = dataclasses.replace(TIMELINE, phases=(before, dataclasses.replace(during, seconds=1)))
    start = Lab.start

    def started(lab: Lab) -> Lab:
        labs.append(lab)
        return start(lab)

    monkeypatch.setattr(Lab, "start", started)
    killed = threading.Event()
    prints: list[Footprint] = []

    def kill(row: Row) -> None:
        if row.policy == "control" or killed.is_set() or row.workload != "transfer" or not row.tool:
            return
        killed.set()
        lab = labs[-1]
        prints.append(Footprint.of(lab.pid))
        if victim == "lab":
            os.kill(lab.pid, signal.SIGKILL)
        elif victim == "box":
            os.kill(prints[0].find("middlebox.drivers.nfqueue"), signal.SIGKILL)
        elif TOOLS["wireguard"].means() == "kernel":
            lab.host("relay").run(["ip", "link", "del", "wg-relay"])
        else:
            os.kill(prints[0].find("wireguard-go", "wg-relay"), signal.SIGKILL)

    words = (timeline, [Policy.load("vpn-handshake-block")])
    if victim == "lab":
        with pytest.raises(LabError):
            run.run(*words, seed=1, folder=tmp_path, command=["run"], progress=kill)
    else:
        assert run.run(*words, seed=1, folder=tmp_path, command=["run"], progress=kill).status == 3
    assert killed.is_set()
    rows = read_rows(tmp_path)
    marked = rows[(rows["policy"] == "vpn-handshake-block") & (rows["fidelity"] == "none")]
    if victim == "server":
        assert set(marked["tool"]) == {"wireguard"}
        assert all("server of wireguard has ended" in one for one in marked["fidelity_reason"])
    if victim == "box":
        assert set(marked["tool"]) == {"", "wireguard"}
        assert all("the box did not answer" in one for one in marked["fidelity_reason"])
    assert prints[0].gone_within(10) == []
