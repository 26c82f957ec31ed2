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
from testbed.run import Ran
from testbed.timeline import leg, run
from testbed.timeline.series import read_series
from testbed.timeline.values import Timeline
from tests.testbed.timeline.pretended import POLICY, TIMELINE, PretendedTimelineLab, PretendedTool, fresh, measured

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


def test_a_run_goes_through_all_phases_of_the_control_and_of_each_policy(tmp_path: Path) -> None:
    stages: list[str] = []
    passed: list[float] = []
    ran = _run(tmp_path, stage=stages.append, passed=passed.append)
    assert [lab.phases for lab in PretendedTimelineLab.ALL] == [["before", "during", "after"]] * 2
    assert all(lab.stopped for lab in PretendedTimelineLab.ALL)
    assert all(server.closed for server in TOOL.served)
    assert [one for one in stages if "," not in one] == ["control", POLICY]
    assert passed == sorted(passed)
    assert max(passed) <= run.total_s(TIMELINE, [Policy.load(POLICY)])
    assert ran.status == 0, ran.checks


def test_rows_tell_what_people_saw_and_what_was_meant(tmp_path: Path) -> None:
    _run(tmp_path)
    rows = read_rows(tmp_path)
    assert set(rows["fidelity"]) == {"ok"}
    hit = rows[(rows["policy"] == POLICY) & (rows["phase"] == "during") & (rows["workload"] == "transfer")]
    direct = hit[hit["tool"] == ""]
    assert set(direct[direct["target"] == "photo"]["outcome"]) <= {"blocked", "ok"}
    assert "blocked" in set(direct[direct["target"] == "photo"]["outcome"])
    assert set(direct[direct["target"] == "text"]["outcome"]) == {"ok"}
    assert set(direct[direct["target"] == "photo"]["intended"]) == {"blocked"}
    assert set(direct[direct["target"] == "text"]["intended"]) == {"ok"}
    control = rows[(rows["policy"] == "control") & (rows["workload"] == "transfer")]
    assert set(control["outcome"]) == {"ok"}
    through = control[control["tool"] == "pretended-vpn"]
    assert set(through["exit_address"]) == {"198.51.100.201"}
    assert (
        rows[rows["workload"] == "transfer"].groupby(["policy", "subscriber", "target"])["attempt"].min() == 1
    ).all()


def test_attempts_to_connect_and_whole_phases_are_rows_of_their_own(tmp_path: Path) -> None:
    _run(tmp_path)
    rows = read_rows(tmp_path)
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
    assert stay[stay["tool"] == ""]["longest_outage_s"].max() < 0.5


def test_every_probe_is_kept_with_the_leg(tmp_path: Path) -> None:
    _run(tmp_path)
    probes = read_series(tmp_path / POLICY / "series.jsonl")
    assert {one.actor for one in probes} == {"anna", "anna, VPN"}
    assert any(not one.ok for one in probes if one.actor == "anna, VPN")


def test_the_manifest_is_finished_and_knows_when_each_phase_was(tmp_path: Path) -> None:
    _run(tmp_path)
    made = read(tmp_path)
    assert (made["finished"], made["status"], made["scenario"]["kind"]) == (True, 0, "symptoms")
    assert [leg["policy"] for leg in made["legs"]] == ["control", POLICY]
    names, begins = [one[0] for one in made["legs"][1]["phases"]], [one[1] for one in made["legs"][1]["phases"]]
    assert names == ["before", "during", "after"]
    assert begins == sorted(begins)
    assert "during" in made["policies"][0]["text"], "what was run, and not what was asked for"
    assert (tmp_path / POLICY / "logs" / "server-pretended-vpn.log").read_text() == "I serve"


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
