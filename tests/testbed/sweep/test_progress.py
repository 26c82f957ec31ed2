"""How far a sweep is, for people."""

from __future__ import annotations

import pytest

from testbed.sweep import progress
from testbed.sweep.campaign import Step


def test_where_stderr_is_no_terminal_a_line_comes_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_QUIET_S", 0.0)
    with progress.Bar(1_500) as bar:
        bar.step(Step.DONE)
        bar.step(Step.FAILED)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("1 of 1,500 cells, 0 failed")
    assert lines[1].startswith("2 of 1,500 cells, 1 failed")


def test_a_quick_sweep_says_nothing_on_its_way(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Bar(2) as bar:
        bar.step(Step.DONE)
        bar.step(Step.THERE)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_there_is_a_bar_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with progress.Bar(2) as bar:
        bar.step(Step.DONE)
        bar.step(Step.FAILED)
    said = capsys.readouterr().err
    assert "cells, 1 failed" in said
    assert "2/2" in said
    assert "left:" in said
