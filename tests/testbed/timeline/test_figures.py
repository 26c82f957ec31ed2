"""The figures: every actor and every phase is in them, and they are the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.timeline import figures
from testbed.timeline.series import Probe, read_series
from tests.testbed.timeline.written import whole


def test_both_figures_are_svg_and_the_same_each_time(tmp_path: Path) -> None:
    rows, made = whole(tmp_path)
    leg = made["legs"][1]
    probes = read_series(tmp_path / leg["folder"] / "series.jsonl")
    first = figures.answers(leg, rows, probes, made), figures.doings(leg, rows, made)
    assert all(drawing.startswith("<svg") for drawing in first)
    assert first == (figures.answers(leg, rows, probes, made), figures.doings(leg, rows, made))


def test_neighbouring_probes_of_one_result_are_one_span() -> None:
    probes = [Probe(actor="a", t=t, ended=t, ok=ok) for t, ok in ((0, True), (1, True), (2, False), (3, True))]
    assert figures._spans(probes, True, 1.0) == [(0, 2), (3, 4)]
    assert figures._spans(probes, False, 1.0) == [(2, 3)]


def test_where_nobody_probed_nothing_is_drawn() -> None:
    probes = [Probe(actor="a", t=t, ended=t, ok=True) for t in (0, 10)]
    assert figures._spans(probes, True, 1.0) == [(0, 2.0), (10, pytest.approx(11))]
