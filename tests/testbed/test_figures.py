"""Figures: real SVG, the same bytes each time, drawn also when there is little to draw."""

from pathlib import Path
from xml.etree import ElementTree

from testbed import figures
from testbed.findings import ResidualFound, cells
from tests.testbed.written import GOOD, rows, run_of, table


def test_figures_are_svg_and_the_same_each_time(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, GOOD)
    found = cells(table(tmp_path), manifest)
    shares = figures.shares(found, manifest)
    assert shares == figures.shares(found, manifest)
    for drawing in (shares, figures.times(table(tmp_path), manifest)):
        assert ElementTree.fromstring(drawing).tag == "{http://www.w3.org/2000/svg}svg"


def test_residual_probes_are_drawn_blocked_or_not() -> None:
    both = ResidualFound(policy="p", triggers=2, probes=((2.0, True), (4.0, False)), neighbour_blocked=None)
    free = ResidualFound(policy="q", triggers=2, probes=((2.0, False),), neighbour_blocked=None)
    drawing = figures.residual([both, free])
    assert drawing.startswith("<svg")
    assert figures.VERMILION.lower() in drawing.lower()


def test_a_run_that_was_killed_early_is_drawn_too(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, rows(1))
    assert figures.times(table(tmp_path), manifest).startswith("<svg")
    assert figures.shares([], manifest).startswith("<svg")


def test_the_numbers_of_neighbouring_panels_do_not_run_together() -> None:
    from matplotlib.figure import Figure

    axis = Figure(figsize=(1, 1)).subplots()
    axis.set_xticks([0, 50, 100])
    figures._inward(axis)
    assert [one.get_horizontalalignment() for one in axis.get_xticklabels()] == ["left", "center", "right"]
