"""A whole run in a pretended lab: what lies in its folder, and what its exit status says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from middlebox.policy import Policy
from testbed import residual, run
from testbed.manifest import read
from testbed.result import Row, read_rows
from testbed.scenario import Scenario
from tests.testbed.pretended import GOOD_STATS, SCENARIO, PretendedLab

QUICK = dataclasses.replace(SCENARIO, attempts=3, residual_wait_s=1.0)


@pytest.fixture(autouse=True)
def _pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    PretendedLab.ALL, PretendedLab.STATS = [], dict(GOOD_STATS)
    monkeypatch.setattr(run, "Lab", PretendedLab)
    monkeypatch.setattr(residual, "SHORTEST_S", 0.1)
    monkeypatch.setattr(residual, "APART_S", 0.0)


def _run(folder: Path, scenario: Scenario = QUICK, names: tuple[str, ...] = ("sni-drop",), **more: Any) -> run.Ran:
    policies = [Policy.load(name) for name in names]
    return run.run(scenario, policies, seed=4, folder=folder, command=["run", "pretended"], **more)


def test_a_run_measures_the_control_and_each_policy_and_takes_its_labs_down(tmp_path: Path) -> None:
    stages: list[str] = []
    seen: list[Row] = []
    ran = _run(tmp_path, names=("sni-drop", "gfw-like"), stage=stages.append, progress=seen.append)
    assert stages == ["control", "sni-drop", "gfw-like", ""]
    assert [lab.up for lab in PretendedLab.ALL] == [False, False, False]
    assert [lab.out.name for lab in PretendedLab.ALL] == ["control", "sni-drop", "gfw-like"]
    rows = read_rows(tmp_path)
    assert len(rows) == len(seen) <= run.total(QUICK, [Policy.load("sni-drop"), Policy.load("gfw-like")])
    main = rows[rows["phase"] == "main"]
    assert main.groupby(["policy", "target"]).size().to_dict() == {
        (policy, target): 3 for policy in ("control", "sni-drop", "gfw-like") for target in ("blocked", "innocent")
    }
    assert set(rows["link_means"]) == {"none"}
    assert ran.status == 0
    assert not (tmp_path / "decisions.jsonl").exists()  # of which policy would it be


def test_the_manifest_is_finished_and_repeats_the_run(tmp_path: Path) -> None:
    _run(tmp_path)
    made = read(tmp_path)
    assert (made["finished"], made["status"], made["seed"]) == (True, 0, 4)
    assert made["policies"][0]["text"] == Policy.load("sni-drop").source_text
    assert made["policies"][0]["memories"] == ""
    assert [leg["policy"] for leg in made["legs"]] == ["control", "sni-drop"]
    assert made["legs"][1]["boxes"]["box"]["alive"]
    assert made["facts"]["data_plane"] == {"box": {"data_plane": "kernel"}}, "the control, which is first, has no box"
    assert all(check["held"] for check in made["checks"])
    assert ["blocked.example", "203.0.113.10", "2001:db8:203::10"] in made["sites"]


def test_a_single_policys_files_also_stand_at_the_top(tmp_path: Path) -> None:
    _run(tmp_path)
    assert (tmp_path / "decisions.jsonl").read_text() == (tmp_path / "sni-drop" / "decisions.jsonl").read_text()


def test_residual_censorship_is_measured_along(tmp_path: Path) -> None:
    _run(tmp_path)
    rows = read_rows(tmp_path)
    probes = rows[rows["phase"] == "residual"]
    assert set(probes["outcome"]) == {"ok", "blocked"}
    assert (probes["after_trigger_s"] >= 0.1).all()
    assert set(rows[rows["policy"] == "control"]["phase"]) == {"main"}


def test_an_innocent_that_is_blocked_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(lab: PretendedLab) -> PretendedLab:
        lab.triggered = dict.fromkeys((f"10.0.0.{number}" for number in range(256)), 1e12)
        lab.out.mkdir(parents=True)
        return lab

    monkeypatch.setattr(PretendedLab, "start", start)
    ran = _run(tmp_path, dataclasses.replace(QUICK, residual_wait_s=0))
    assert ran.status == 1
    assert next(check.text for check in ran.checks if not check.held).startswith("nothing is blocked that the policy")


def test_a_dead_box_gives_no_result(tmp_path: Path) -> None:
    PretendedLab.STATS = {"alive": False}
    ran = _run(tmp_path, dataclasses.replace(QUICK, residual_wait_s=0))
    assert ran.status == 3
    rows = read_rows(tmp_path)
    assert set(rows[rows["policy"] == "sni-drop"]["outcome"]) == {"no_result"}


def test_a_run_that_breaks_off_keeps_its_rows_and_says_so(tmp_path: Path) -> None:
    count = 0

    def break_off(row: Row) -> None:
        nonlocal count
        count += 1
        if count == 8:
            raise RuntimeError("as if the machine stopped")

    with pytest.raises(RuntimeError, match="as if"):
        _run(tmp_path, progress=break_off)
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) >= 8
    assert len(read_rows(tmp_path)) >= 8
    made = json.loads((tmp_path / "manifest.json").read_text())
    assert (made["finished"], made["status"]) == (False, None)
    assert [lab.up for lab in PretendedLab.ALL] == [False, False]
