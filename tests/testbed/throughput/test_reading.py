"""The report of a throughput run."""

from __future__ import annotations

from pathlib import Path

from testbed import report
from testbed.throughput import reading
from tests.testbed.throughput.slowed import run_of


def test_the_report_has_table_words_figures_and_the_rule(tmp_path: Path) -> None:
    run_of(tmp_path)
    text = report.write(tmp_path).read_text()
    for title in ("How fast it was", "What was found", "Figures", "What the boxes did", "How it was measured"):
        assert f"<h2>{title}</h2>" in text
    assert "How slow &lt;is&gt; it?" in text
    assert "is throttled: cut into 5 spans" in text
    assert "for 8 s, is blocked" in text
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {"goodputs.svg", "over-time.svg", "signatures.svg"}
    assert (tmp_path / "cells.csv").exists()


def test_checks_and_summary_are_those_of_the_folder(tmp_path: Path) -> None:
    run_of(tmp_path)
    assert all(check.held for check in reading.checks(tmp_path))
    assert reading.summary(tmp_path).startswith("most attempts; median goodput")
