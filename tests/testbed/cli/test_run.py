"""`penstock run`: what is printed, what is refused, and the exit status; and a real one in a real lab."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from middlebox.drivers.capture import read_packets
from middlebox.policy import Policy
from scenarios.sni_filtering import SCENARIO as SNI_FILTERING
from testbed import report, run
from testbed.cli import main
from testbed.lab import LabError
from testbed.result import read_rows
from tests.testbed.pretended import GOOD_STATS, PretendedLab


@pytest.fixture
def _pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    PretendedLab.ALL, PretendedLab.STATS = [], dict(GOOD_STATS)
    monkeypatch.setattr(run, "Lab", PretendedLab)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["sni-filterin"],
            "no scenario 'sni-filterin'; did you mean 'sni-filtering'? (there are: applications, evasion, ",
        ),
        (["sni-filtering", "--backend", "simulate", "--workers", "2"], "a box in virtual time is no process"),
        (["sni-filtering", "--backend", "virtual"], "--backend virtual: unknown"),
        (["sni-filtering", "--set", "speed=3"], "no setting 'speed'"),
        (["sni-filtering", "--attempts", "0"], "attempts is 0"),
        (["sni-filtering", "--policy", "gfw-lik"], "gfw-like"),
        (["sni-filtering", "--workers", "none"], "workers 'none': a number from 1 to 32, or 'auto', is expected"),
        (["sni-filtering", "--policy", "vpn-block-address", "--workers", "2"], "cannot be shared among workers"),
        (["vpn-disruption", "--policy", "vpn-block-address", "--workers", "2"], "cannot be shared among workers"),
        (["sni-filtering", "--policy", "gfw-like", "--policy", "gfw-like"], "two policies are called 'gfw-like'"),
    ],
)
@pytest.mark.usefixtures("_pretend")
def test_bad_usage_is_refused_before_anything_runs(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *words]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []
    assert PretendedLab.ALL == []


@pytest.mark.usefixtures("_pretend")
def test_a_policy_that_is_called_control_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Policy.load("sni-drop").source_text.replace("name: sni-drop", "name: control")
    (tmp_path / "mine.yaml").write_text(text)
    assert main(["run", "sni-filtering", "--policy", str(tmp_path / "mine.yaml")]) == 2
    assert "give it another name" in capsys.readouterr().err


@pytest.mark.usefixtures("_pretend")
def test_the_last_line_names_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--policy", "sni-drop", "--attempts", "2", "--seed", "5", "--set", "residual_wait=0", "--out", "mine"]
    words += ["--workers", "3"]
    status = main(["run", "sni-filtering", *words])
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "report: mine/report.html"
    assert "blocked of tried" in said.out
    assert "measuring: sni-drop" in said.err
    made = json.loads(Path("mine/manifest.json").read_text())
    assert made["command"] == ["run", "sni-filtering", *words[:4], "--set", "residual_wait=0", *words[-2:], *words[4:6]]
    assert made["seed"] == 5
    assert status == 3  # the pretended hosts know neither dig nor browsers: no result for those
    assert {lab.workers for lab in PretendedLab.ALL} == {3}


@pytest.mark.usefixtures("_pretend")
def test_the_report_is_there_while_the_last_probes_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pages: list[str] = []
    real = report.write

    def write(folder: Path) -> Path:
        path = real(folder)
        pages.append(path.read_text())
        return path

    monkeypatch.setattr(report, "write", write)
    words = ["--policy", "sni-drop", "--attempts", "1", "--set", "residual_wait=3", "--out", "mine"]
    main(["run", "sni-filtering", *words])
    said = capsys.readouterr()
    assert "report so far: mine/report.html (residual censorship is still being measured)" in said.err
    early, last = pages
    assert "its last probes are still to come, 3 s after their triggers" in early
    assert "still to come" not in last
    assert Path("mine/report.html").read_text() == last
    assert said.out.splitlines()[-1] == "report: mine/report.html"


@pytest.mark.usefixtures("_pretend")
def test_on_a_slow_machine_the_network_is_slowed_down_and_the_command_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("testbed.speed.slowdown", lambda: 5)
    words = ["--policy", "sni-drop", "--attempts", "1", "--set", "residual_wait=0", "--out", "mine"]
    main(["run", "sni-filtering", *words])
    assert "the network is 5 times slower than it is meant to be" in capsys.readouterr().err
    made = json.loads(Path("mine/manifest.json").read_text())
    assert made["command"][-4:] == ["--set", "slowdown=5", "--seed", "1"]
    assert made["limits"]["added_p99_s"] == 0.075
    assert "topology national, 5 times slower" in Path("mine/report.html").read_text()


@pytest.mark.usefixtures("_pretend")
def test_a_folder_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    assert main(["run", "sni-filtering", "--out", "mine"]) == 2
    assert "never overwrites" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


@pytest.mark.usefixtures("_pretend")
def test_a_lab_that_cannot_be_built_is_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(lab: PretendedLab) -> PretendedLab:
        raise LabError("this system does not let ordinary users make user namespaces")

    monkeypatch.setattr(PretendedLab, "start", start)
    assert main(["run", "sni-filtering", "--out", "mine"]) == 3
    assert "does not let ordinary users" in capsys.readouterr().err
    assert json.loads(Path("mine/manifest.json").read_text())["finished"] is False


def _decisions(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.lab
def test_a_real_run_blocks_every_trigger_and_no_innocent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    words = ["--policy", "gfw-like", "--attempts", "2", "--set", "residual_wait=2", "--out", str(out)]
    assert main(["run", "sni-filtering", *words]) == 0, capsys.readouterr()
    rows = read_rows(out)
    trusted = rows[(rows["phase"] == "main") & (rows["fidelity"] == "ok")]
    outcomes = trusted.groupby(["policy", "intended"])["outcome"].agg(set).to_dict()
    assert outcomes == {("control", "ok"): {"ok"}, ("gfw-like", "blocked"): {"blocked"}, ("gfw-like", "ok"): {"ok"}}
    assert set(trusted[trusted["outcome"] == "blocked"]["failure"]) == {"connection_reset"}
    assert (trusted["time_to_first_byte"].dropna() > 0.02).all()  # the links take 38 ms there and back
    probes = rows[rows["phase"] == "residual"]
    assert set(probes["outcome"]) == {"blocked"}  # its memory lasts for three minutes
    assert set(rows[rows["phase"] == "residual-neighbour"]["outcome"]) == {"ok"}
    assert (out / "box.pcap").resolve() == (out / "gfw-like" / "box.pcap").resolve()
    resets = [one for one in _decisions(out / "decisions.jsonl") if one["rule"] == "sni" and one["injected"]]
    blocked = rows[rows["outcome"] == "blocked"]
    assert len(resets) >= len(blocked[blocked["phase"] == "main"])
    last = max(one["packet"] for one in resets)
    assert last < sum(1 for _ in read_packets(out / "box.pcap"))


@pytest.mark.lab
def test_a_killed_run_leaves_its_rows_and_a_report_can_be_made_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = [sys.executable, "-m", "testbed.cli", "run", "sni-filtering", "--policy", "sni-drop", "--out", str(out)]
    with open(tmp_path / "said", "wb") as said:
        process = subprocess.Popen(words, stdout=said, stderr=said)
    try:
        until_s = time.monotonic() + 60
        while not (out / "rows.jsonl").exists() or len((out / "rows.jsonl").read_text().splitlines()) < 5:
            assert process.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < until_s
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    assert len(read_rows(out)) >= 5
    assert json.loads((out / "manifest.json").read_text())["finished"] is False
    assert main(["report", str(out)]) == 0
    assert "This run was ended before it was over" in (out / "report.html").read_text()


def test_a_run_in_virtual_time_needs_no_lab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "sni-filtering", "--backend", "simulate", "--attempts", "1", "--set", "residual_wait=0"]
    assert main([*words, "--policy", "gfw-like", "--out", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == f"report: {tmp_path / 'a' / 'report.html'}"
    rows = read_rows(tmp_path / "a")
    assert set(rows["backend"]) == {"simulate"}
    assert len(rows) == 2 * len(SNI_FILTERING.targets)
    page = (tmp_path / "a" / "report.html").read_text()
    assert "--backend simulate --attempts 1" in page
    assert "simulated, in virtual time" in page
