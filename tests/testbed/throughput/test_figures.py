"""The figures of a throughput report: the same bytes each time, and the right attempt in the one over time."""

from __future__ import annotations

from pathlib import Path

from testbed.result import read_rows
from testbed.series import read as read_series
from testbed.throughput.figures import goodputs, over_time, signatures, typical
from testbed.throughput.findings import cells
from tests.testbed.throughput.slowed import run_of


def test_each_figure_is_the_same_each_time(tmp_path: Path) -> None:
    manifest = run_of(tmp_path)
    rows, kept = read_rows(tmp_path), list(read_series(tmp_path))
    found = cells(rows, manifest)

    def draw() -> list[str]:
        over = over_time(kept, rows, manifest, "down")
        return [goodputs(found, manifest), over, signatures(rows, manifest, ["down"])]

    drawn = draw()
    assert all(one.startswith("<svg") for one in drawn)
    assert drawn == draw()


def test_the_attempt_over_time_is_that_of_median_goodput(tmp_path: Path) -> None:
    run_of(tmp_path)
    rows, kept = read_rows(tmp_path), list(read_series(tmp_path))
    one = typical(kept, rows, "police", "down")
    assert one is not None
    assert one.attempt == 3
    assert typical(kept, rows, "police", "nothing") is None
