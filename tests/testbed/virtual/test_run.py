"""A run in virtual time: the folder of a run in a lab, and the same bytes each time."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from middlebox.policy import Policy
from testbed.manifest import read
from testbed.result import read_rows
from testbed.run_folder import Ran
from testbed.virtual.run import name_of, rows, run
from tests.testbed.virtual.made import QUICK

SHORT = dataclasses.replace(QUICK, residual_wait_s=4.0)
POLICIES = ("gfw-like", "dns-inject")
#: all of a run folder that does not tell when it was made
BYTES = ("rows.csv", "rows.jsonl", *(f"{name}/{file}" for name in POLICIES for file in ("decisions.jsonl", "box.pcap")))


def _run(folder: Path, seed: int = 4) -> Ran:
    folder.mkdir()
    return run(SHORT, [Policy.load(name) for name in POLICIES], seed=seed, folder=folder, command=["run", "x"])


def test_two_runs_of_one_seed_are_the_same_to_the_byte_wherever_they_lie(tmp_path: Path) -> None:
    assert _run(tmp_path / "a").status == _run(tmp_path / "b").status == 0
    for name in BYTES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    _run(tmp_path / "c", seed=5)
    assert (tmp_path / "a" / "rows.csv").read_bytes() != (tmp_path / "c" / "rows.csv").read_bytes()


def test_rows_alone_are_those_of_the_folder(tmp_path: Path) -> None:
    policies = [Policy.load(name) for name in POLICIES]
    _run(tmp_path / "a")
    told = [json.loads(line) for line in (tmp_path / "a" / "rows.jsonl").read_text().splitlines()]
    assert [row.as_dict() for row in rows(SHORT, policies, seed=4)] == told


def test_the_folder_has_what_a_lab_leaves(tmp_path: Path) -> None:
    stages: list[str] = []
    run(
        SHORT,
        [Policy.load("gfw-like")],
        seed=4,
        folder=tmp_path,
        command=["run"],
        progress=lambda row: None,
        stage=stages.append,
    )
    assert stages == ["control", "gfw-like"]
    manifest = read(tmp_path)
    assert (manifest["backend"], manifest["finished"], manifest["status"]) == ("simulate", True, 0)
    assert manifest["facts"]["delay_means"] == "virtual time"
    assert [leg["policy"] for leg in manifest["legs"]] == ["control", "gfw-like"]
    assert manifest["legs"][1]["boxes"]["box"]["counters"]["packets"] > 100
    assert all(check["held"] for check in manifest["checks"])
    assert (tmp_path / "box.pcap").is_symlink()
    table = read_rows(tmp_path)
    assert set(table["run"]) == {manifest["run"]} == {name_of(SHORT, [Policy.load("gfw-like")], 4)}
    assert set(table["phase"]) == {"main", "trigger", "residual", "residual-neighbour"}
