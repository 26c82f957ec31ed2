"""A whole timeline in a pretended lab: rows, probes, manifest, exit status, and what is left when something dies."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from middlebox.policy import Policy
from testbed.emulate.outside import LabError
from testbed.manifest import read
from testbed.result import Row, read_rows
from testbed.run_folder import Ran
from testbed.timeline import leg, run
from testbed.timeline.series import read_series
from testbed.timeline.values import Timeline
from tests.testbed.timeline.pretended import (
    POLICY,
    TIMELINE,
    PretendedServer,
    PretendedTimelineLab,
    PretendedTool,
    fresh,
    measured,
)

TOOL = PretendedTool()


@pytest.fixture(autouse=True)
def _pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh()
    TOOL.served.clear()
    monkeypatch.setattr(run, "Lab", PretendedTimelineLab)
    for module in (run, leg):
        monkeypatch.setattr(module, "TOOLS", {"pretended-vpn": TOOL})


def _run(folder: Path, timeline: Timeline = TIMELINE, **more: Any) -> Ran:
    return run.run(timeline, [Policy.load(POLICY)], seed=3, folder=folder, command=["run", "pretended"], **more)


@dataclasses.dataclass(frozen=True)
class Whole:
    """A run, and what was seen of it from outside."""

    ran: Ran
    folder: Path
    labs: list[PretendedTimelineLab]
    servers: list[PretendedServer]
    stages: list[str]
    passed: list[float]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """One run for all tests that only look at it, since a run takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        fresh()
        patch.setattr(run, "Lab", PretendedTimelineLab)
        tool = PretendedTool()
        for module in (run, leg):
            patch.setattr(module, "TOOLS", {"pretended-vpn": tool})
        stages: list[str] = []
        passed: list[float] = []
        folder = tmp_path_factory.mktemp("whole")
        ran = _run(folder, stage=stages.append, passed=passed.append)
        return Whole(ran, folder, PretendedTimelineLab.ALL, tool.served, stages, passed)


def test_a_run_goes_through_all_phases_of_the_control_and_of_each_policy(whole: Whole) -> None:
    assert [lab.phases for lab in whole.labs] == [["before", "during", "after"]] * 2
    assert all(lab.stopped for lab in whole.labs)
    assert all(server.closed for server in whole.servers)
    assert [one for one in whole.stages if "," not in one] == ["control", POLICY]
    assert whole.passed == sorted(whole.passed)
    assert max(whole.passed) <= run.total_s(TIMELINE, [Policy.load(POLICY)])
    assert all(check.held for check in whole.ran.checks if not check.lab)


def test_rows_tell_what_people_saw_and_what_was_meant(whole: Whole) -> None:
    rows = read_rows(whole.folder)
    assert set(rows["fidelity"]) == {"ok"}
    hit = rows[(rows["policy"] == POLICY) & (rows["phase"] == "during") & (rows["workload"] == "transfer")]
    direct = hit[hit["tool"] == ""]
    assert "blocked" in set(direct[direct["target"] == "photo"]["outcome"])
    assert set(direct[direct["target"] == "text"]["outcome"]) == {"ok"}
    assert set(direct[direct["target"] == "photo"]["intended"]) == {"blocked"}
    assert set(direct[direct["target"] == "text"]["intended"]) == {"ok"}
    control = rows[(rows["policy"] == "control") & (rows["workload"] == "transfer")]
    assert set(control["outcome"]) == {"ok"}
    through = control[control["tool"] == "pretended-vpn"]
    assert set(through["exit_address"]) == {"198.51.100.201"}
    assert set(rows.groupby(["policy", "subscriber", "workload", "target"])["attempt"].min()) == {1.0}


def test_attempts_to_connect_and_whole_phases_are_rows_of_their_own(whole: Whole) -> None:
    rows = read_rows(whole.folder)
    ours = rows[rows["policy"] == POLICY]
    tries = ours[ours["workload"] == "connect"]
    assert "blocked" in set(tries[tries["phase"] == "during"]["outcome"])
    up = tries[tries["outcome"] == "ok"]
    assert up["time_to_tunnel_s"].notna().all()
    assert up["tunnel_attempts"].max() >= 2
    stay = ours[ours["workload"] == "stay"]
    assert set(stay.groupby("subscriber").size()) == {3}
    vpn = stay[stay["tool"] == "pretended-vpn"]
    assert measured(vpn, "during", "longest_outage_s") > measured(vpn, "before", "longest_outage_s")
    assert measured(vpn, "after", "recovery_s") >= 0
    assert stay[stay["tool"] == ""]["longest_outage_s"].max() < measured(vpn, "during", "longest_outage_s")


def test_every_probe_is_kept_with_the_leg(whole: Whole) -> None:
    probes = read_series(whole.folder / POLICY / "series.jsonl")
    assert {one.actor for one in probes} == {"anna", "anna, VPN"}
    assert any(not one.ok for one in probes if one.actor == "anna, VPN")


def test_the_manifest_is_finished_and_knows_when_each_phase_was(whole: Whole) -> None:
    made = read(whole.folder)
    assert (made["finished"], made["status"], made["scenario"]["kind"]) == (True, whole.ran.status, "symptoms")
    assert [one["policy"] for one in made["legs"]] == ["control", POLICY]
    names, begins = [one[0] for one in made["legs"][1]["phases"]], [one[1] for one in made["legs"][1]["phases"]]
    assert names == ["before", "during", "after"]
    assert begins == sorted(begins)
    assert "during" in made["policies"][0]["text"], "what was run, and not what was asked for"
    assert (whole.folder / POLICY / "logs" / "server-pretended-vpn.log").read_text() == "I serve"
    anew = made["legs"][1]["anew"]
    assert anew["anna"]["answered"] == anew["anna"]["probes"] > 0
    assert anew["anna, VPN"]["answered"] < anew["anna, VPN"]["probes"]


def test_going_through_it_twice_makes_two_legs_of_each(tmp_path: Path) -> None:
    _run(tmp_path, dataclasses.replace(TIMELINE, attempts=2))
    made = read(tmp_path)
    assert [leg["folder"] for leg in made["legs"]] == ["control", POLICY, "control.2", f"{POLICY}.2"]
    rows = read_rows(tmp_path)
    assert rows["attempt"].max() > 10_000
    assert not rows.duplicated(["policy", "subscriber", "workload", "target", "attempt"]).any()


def test_a_dead_server_leaves_marked_rows_and_status_3(tmp_path: Path) -> None:
    def kill(row: Row) -> None:
        if row.policy == POLICY and row.phase == "during":
            TOOL.served[-1].dead = True

    ran = _run(tmp_path, progress=kill)
    rows = read_rows(tmp_path)
    dead = rows[(rows["policy"] == POLICY) & (rows["tool"] == "pretended-vpn") & (rows["fidelity"] == "none")]
    assert len(dead)
    assert all("the server of pretended-vpn has ended" in one for one in dead["fidelity_reason"])
    assert set(rows[(rows["policy"] == POLICY) & (rows["tool"] == "")]["fidelity"]) == {"ok"}
    assert ran.status == 3


def test_a_dead_box_leaves_no_result_whatever_people_saw(tmp_path: Path) -> None:
    PretendedTimelineLab.STATS = {"alive": False}
    ran = _run(tmp_path)
    rows = read_rows(tmp_path)
    assert set(rows[rows["policy"] == POLICY]["outcome"]) == {"no_result"}
    assert set(rows[rows["policy"] == "control"]["fidelity"]) == {"ok"}
    assert ran.status == 3


def test_a_box_that_dies_between_two_phases_ends_nothing_but_its_own_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enter(lab: PretendedTimelineLab, phase: str) -> None:
        lab.phases.append(phase)
        if lab.censors and phase == "during":
            PretendedTimelineLab.STATS = {"alive": False}
            monkeypatch.setattr(PretendedTimelineLab, "dead", lambda lab: ["box"] if lab.censors else [])
        if lab.dead():
            raise LabError("box 'box' does not answer")

    monkeypatch.setattr(PretendedTimelineLab, "enter_phase", enter)
    ran = _run(tmp_path)
    rows = read_rows(tmp_path)
    ours = rows[(rows["policy"] == POLICY) & (rows["workload"] == "transfer")]
    assert "ok" in set(ours[ours["phase"] == "before"]["fidelity"])
    assert set(ours[ours["phase"] == "after"]["fidelity"]) == {"none"}
    assert ran.status == 3
    assert read(tmp_path)["finished"]


def test_a_lab_that_ends_half_way_leaves_its_rows_and_an_unfinished_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(lab: PretendedTimelineLab, phase: str) -> None:
        lab.phases.append(phase)
        if lab.censors and phase == "after":
            raise LabError("lab is gone")

    monkeypatch.setattr(PretendedTimelineLab, "enter_phase", gone)
    with pytest.raises(LabError, match="gone"):
        _run(tmp_path)
    rows = read_rows(tmp_path)
    assert {"control", POLICY} == set(rows["policy"])
    made = json.loads((tmp_path / "manifest.json").read_text())
    assert (made["finished"], made["status"]) == (False, None)
    assert [leg["policy"] for leg in made["legs"]] == ["control"]
    assert all(lab.stopped for lab in PretendedTimelineLab.ALL)
    assert all(server.closed for server in TOOL.served)


def test_a_program_of_the_lab_that_dies_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PretendedTimelineLab, "dead", lambda lab: ["web"])
    with pytest.raises(LabError, match="have ended: web"):
        _run(tmp_path)
