"""`penstock sweep`: killed and gone on with, in shards, with failures; what is printed and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.sweep import backends, campaign, engines
from testbed.sweep.values import Cell

pytest.importorskip("pyarrow", reason="pyarrow is not installed (the extra 'sweep')")
ROOT = Path(__file__).parents[3]

#: 2,000 cells of half a millisecond
DESCRIPTION = """\
name: rates
policies: [throttle-police]
parameters:
  rules.0.action.police.rate: [64 kbit/s, 128 kbit/s, 256 kbit/s, 512 kbit/s]
  rules.0.chance: [25 %, 50 %]
seeds: 1-250
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rates.yaml").write_text(DESCRIPTION)


def sweep(*words: str) -> subprocess.Popen[str]:
    """The command as a person starts it, in a process group of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "testbed.cli", "sweep", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kept(folder: Path) -> int:
    return sum(len(list(part.iterdir())) for part in folder.glob("cells/*"))


def test_2000_cells_killed_three_times_give_the_bytes_of_a_sweep_left_alone(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    for least in (1, 500, 1200):
        with sweep("rates.yaml", "--jobs", "1", "--out", "killed") as process:
            while kept(killed) < least and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert not (killed / "table.parquet").exists()
    assert 1200 <= kept(killed) < 2000
    with sweep("rates.yaml", "--jobs", "1", "--out", "killed") as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    assert " were there\n" in said
    assert said.endswith("table: killed/table.parquet (2,000 cells)\n")
    with sweep("rates.yaml", "--jobs", "1", "--out", "alone") as process:
        process.communicate()
    assert (killed / "table.parquet").read_bytes() == (tmp_path / "alone" / "table.parquet").read_bytes()
    assert list(killed.rglob(".*")) == []  # nor is anything left half written


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells run in this process, which is quicker than to start others."""
    monkeypatch.setitem(engines.ENGINES, "processes", lambda scheduler, workers: engines.Here())


SMALL = ("--policy", "sni-drop", "--set", "rules.0.chance=25 %,50 %", "--seeds", "1-20")


@pytest.mark.usefixtures("here")
def test_shards_in_folders_of_their_own_merge_to_the_table_of_the_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", *SMALL, "--out", "whole"]) == 0
    for number in ("1/3", "2/3", "3/3"):
        assert main(["sweep", *SMALL, "--shard", number, "--out", f"part-{number[0]}"]) == 0
        assert not (tmp_path / f"part-{number[0]}" / "table.parquet").exists()
    capsys.readouterr()
    assert main(["sweep", "merge", "all", "part-1", "part-2"]) == 3
    assert "cells missing in the table" in capsys.readouterr().err
    assert main(["sweep", "merge", "all", "part-1", "part-2", "part-3"]) == 0
    assert "table: all/table.parquet (40 cells)" in capsys.readouterr().out
    assert (tmp_path / "all" / "table.parquet").read_bytes() == (tmp_path / "whole" / "table.parquet").read_bytes()


@pytest.mark.usefixtures("here")
def test_the_last_of_the_shards_in_one_folder_makes_the_table(tmp_path: Path) -> None:
    for number in ("2/3", "1/3", "3/3"):
        assert not (tmp_path / "one" / "table.parquet").exists()
        assert main(["sweep", *SMALL, "--shard", number, "--out", "one"]) == 0
    assert (tmp_path / "one" / "table.parquet").exists()


@pytest.mark.usefixtures("here")
def test_failed_cells_are_set_aside_with_their_traceback_and_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import dataclasses

    real = backends.find("replay")
    broken = {3, 4}

    def run(cell: Cell) -> list[backends.Row]:
        if cell.seed in broken:
            raise RuntimeError("broken on purpose")
        return real.run(cell)

    assert main(["sweep", *SMALL, "--out", "good"]) == 0
    monkeypatch.setattr(backends, "find", lambda name: dataclasses.replace(real, run=run))
    capsys.readouterr()
    assert main(["sweep", *SMALL, "--out", "mine"]) == 3
    said = capsys.readouterr()
    assert "4 cells set aside, the tracebacks in mine/failed (--retry-failed runs them again)" in said.err
    assert "4 cells missing in the table" in said.err
    told = [json.loads(path.read_text()) for path in (tmp_path / "mine" / "failed").iterdir()]
    assert {one["cell"]["seed"] for one in told} == broken
    assert all("RuntimeError: broken on purpose" in one["traceback"] for one in told)
    broken.clear()
    assert main(["sweep", *SMALL, "--out", "mine"]) == 3
    assert main(["sweep", *SMALL, "--out", "mine", "--retry-failed"]) == 0
    assert list((tmp_path / "mine" / "failed").iterdir()) == []
    assert (tmp_path / "mine" / "table.parquet").read_bytes() == (tmp_path / "good" / "table.parquet").read_bytes()


@pytest.mark.usefixtures("here")
def test_a_sweep_has_a_folder_that_follows_from_what_it_varies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", "rates.yaml", "--set", "rules.0.chance=50 %", "--seeds", "1-2"]
    assert main(words) == 0
    assert main(words) == 0
    said = capsys.readouterr()
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("sweep-rates-")
    assert "8 cells, 1 policy x 1 workload x rules.0.action.police.rate, rules.0.chance x seeds 1-2" in said.err
    assert "0 cells run, 8 were there" in said.out
    assert json.loads((folder / "sweep.json").read_text())["command"] == words
    assert main([*words, "--policy", "sni-drop"]) == 2  # it has no such place
    assert "found no 'police' for the path" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_the_report_is_made_from_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *SMALL, "--out", "mine"]) == 0
    capsys.readouterr()
    assert main(["sweep", "report", "mine"]) == 0
    assert capsys.readouterr().out == "report: mine/report.html\n"
    assert (tmp_path / "mine" / "report.html").exists()


def test_ctrl_c_keeps_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> campaign.Tally:
        raise KeyboardInterrupt

    monkeypatch.setattr(campaign, "run", interrupt)
    assert main(["sweep", *SMALL, "--out", "mine"]) == 130
    assert "the same command goes on from what is done: mine" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "a sweep needs a policy at least: 'policies: [gfw-like]', or --policy gfw-like"),
        (["none.yaml"], "none.yaml: found a file that cannot be read: No such file or directory"),
        (["rates.yaml", "other"], "found 'other' after 'rates.yaml'; expected one scenario or one file"),
        (["rates.yaml", "--seeds", "1-"], "--seeds: found '1-'; expected seeds such as '1-20' or '1,5,9'; write it"),
        (["rates.yaml", "--design", "lhs"], "--design: found 'lhs'; expected grid, or a Latin hypercube"),
        (["rates.yaml", "--shard", "0/2"], "--shard: found '0/2'; expected i/n with i from 1 to n, such as 3/40"),
        (["rates.yaml", "--backend", "simulat"], "no backend 'simulat'"),
        (["rates.yaml", "--engine", "ray"], "--engine: no engine 'ray' (there are: processes, dask)"),
        (["rates.yaml", "--scheduler", "tcp://x:1"], "--scheduler is Dask's: give --engine dask with it"),
        (["rates.yaml", "--jobs", "0"], "--jobs is 0; expected a number from 1 to 1024"),
        (["sni-filtering", "--backend", "emulate", "--jobs", "2"], "--backend emulate measures in one lab at a time"),
        (["report"], "expected one folder: penstock sweep report FOLDER"),
        (["report", "none"], "'none' is no folder of a sweep with a table: there is no sweep.json in it"),
        (["merge", "all"], "expected a folder and those of the shards: penstock sweep merge FOLDER SHARD ..."),
        (["merge", "all", "none"], "'none' is no folder of a sweep"),
    ],
)
def test_bad_usage_is_refused_before_anything_runs(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", *words]) == 2
    said = capsys.readouterr()
    assert f"penstock sweep: {message}" in said.err
    assert said.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["rates.yaml"]


@pytest.mark.usefixtures("here")
def test_shards_of_two_sweeps_are_not_merged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *SMALL, "--shard", "1/2", "--out", "one"]) == 0
    assert main(["sweep", *SMALL, "--workload", "dns-query", "--shard", "2/2", "--out", "two"]) == 0
    assert main(["sweep", "merge", "all", "one", "two"]) == 2
    assert "'two' is of another sweep than 'one'" in capsys.readouterr().err
    assert not (tmp_path / "all").exists()
