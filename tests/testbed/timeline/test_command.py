"""`penstock run` of a timeline: what is refused, what `--set` changes, what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.emulate.outside import LabError
from testbed.timeline import command, leg, run
from testbed.tool import ToolError
from tests.testbed.timeline.pretended import TIMELINE, PretendedTimelineLab, PretendedTool, fresh


@pytest.fixture(autouse=True)
def _pretend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh()
    monkeypatch.setattr(run, "Lab", PretendedTimelineLab)
    for module in (run, leg):
        monkeypatch.setattr(module, "TOOLS", {"pretended-vpn": PretendedTool()})
    monkeypatch.setattr("scenarios.vpn_disruption.SCENARIO", TIMELINE)
    monkeypatch.setattr("testbed.speed.slowdown", lambda: 1)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backend", "simulate"], "no 'pretended-vpn' in virtual time"),
        (["--backend", "simulat"], "--backend simulat: unknown"),
        (["--set", "strech=2"], "no setting 'strech'; did you mean 'stretch'?"),
        (["--set", "stretch"], "expected KEY=VALUE"),
        (["--set", "stretch=long"], "'long' is not a number"),
        (["--set", "tools=pretended-vp"], "did you mean 'pretended-vpn'?"),
        (["--attempts", "0"], "attempts is 0"),
        (["--policy", "sni-dro"], "sni-drop"),
        (["--policy", "sni-drop", "--policy", "sni-drop"], "two policies are called 'sni-drop'"),
    ],
)
def test_bad_usage_is_refused_before_anything_runs(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "vpn-disruption", *words]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []
    assert PretendedTimelineLab.ALL == []


def test_settings_change_the_timeline() -> None:
    changed = command.change(TIMELINE, ["stretch=2", "patience=9", "connect=7", "probe=1", "tools="])
    assert (changed.stretch, changed.patience_s, changed.connect_s, changed.probe_s) == (2, 9, 7, 1)
    assert changed.tools == ()


def test_the_last_line_names_the_report_and_the_report_can_be_made_again(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--workers", "2", "--seed", "5"]
    assert main(["run", "vpn-disruption", *words, "--out", "mine"]) in (0, 3)  # 3: too slow a machine for it
    said = capsys.readouterr()
    assert said.out.splitlines()[-1] == "report: mine/report.html"
    assert "Yes: photos fail" in said.out
    assert "measuring: sni-drop" in said.err
    made = json.loads(Path("mine/manifest.json").read_text())
    assert made["command"] == ["run", "vpn-disruption", *words]
    assert {lab.workers for lab in PretendedTimelineLab.ALL} == {2}
    Path("mine/report.html").unlink()
    assert main(["report", "mine"]) == 0
    assert Path("mine/report.html").exists()
    assert main(["run", "vpn-disruption", "--out", "mine"]) == 2
    assert "never overwrites" in capsys.readouterr().err


@pytest.mark.parametrize("error", [LabError("no namespaces here"), ToolError("wg is not installed")])
def test_a_lab_or_a_tool_that_cannot_be_had_is_no_result(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(lab: PretendedTimelineLab) -> PretendedTimelineLab:
        raise error

    monkeypatch.setattr(PretendedTimelineLab, "start", start)
    assert main(["run", "vpn-disruption", "--out", "mine"]) == 3
    assert str(error) in capsys.readouterr().err
    assert json.loads(Path("mine/manifest.json").read_text())["finished"] is False
