"""The race against near servers, in short; the long one is run by hand."""

from __future__ import annotations

import pytest

from experiments.benchmarks.reset_race import DISTANCES, main


@pytest.mark.lab
def test_resets_win_against_a_server_10_ms_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["60"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[:5] == ["10.0", "ms", "60", "of", "60"]
    assert len(lines) == 2 + len(DISTANCES)
