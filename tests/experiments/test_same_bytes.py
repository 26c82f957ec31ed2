"""Two interpreters are compared by what they write."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments.same_bytes import different, digests, main, run


def test_the_same_interpreter_writes_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([sys.executable, "--scenario", "evasion"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("evasion: ")
    assert said.endswith("files, all the same\n")


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    one, other = (run(sys.executable, "evasion", tmp_path / str(seed), 1, seed) for seed in (1, 2))
    apart = different(one, other)
    assert "rows.jsonl" in apart
    assert any(name.endswith("box.pcap") for name in apart)


def test_a_file_that_only_one_has_is_a_difference(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n")
    assert different(digests(tmp_path), {}) == ["rows.csv"]


def test_an_interpreter_that_cannot_run_it_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no scenario 'nothing'"):
        run(sys.executable, "nothing", tmp_path / "out", 1, 1)
