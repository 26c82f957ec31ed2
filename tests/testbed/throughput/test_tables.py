"""The tables of a throughput report."""

from __future__ import annotations

import csv
from pathlib import Path

from testbed.result import read_rows
from testbed.throughput.findings import cells
from testbed.throughput.tables import as_csv, results
from tests.testbed.throughput.slowed import run_of


def test_a_cell_shows_outcome_goodput_ratio_and_means(tmp_path: Path) -> None:
    manifest = run_of(tmp_path)
    text = results(cells(read_rows(tmp_path), manifest), manifest)
    assert '<td class="some"><span><b>throttled</b> 5/5</span><small><b>122 kbit/s</b></small>' in text
    assert "<small>RTT 50 ms (least 40 ms)</small><small>30 % sent again</small>" in text
    assert "<i>loss without a queue</i>" in text
    assert '<td class="blocked"><span><b>blocked</b> 5/5</span><small>cut off after 16.0 kB</small>' in text
    assert " off" not in text.split("<tbody>")[1].split("</tbody>")[0].replace("cut off", "")


def test_the_same_numbers_are_there_as_csv(tmp_path: Path) -> None:
    manifest = run_of(tmp_path)
    lines = list(csv.DictReader(as_csv(cells(read_rows(tmp_path), manifest)).splitlines()))
    assert len(lines) == 12
    line = next(one for one in lines if (one["policy"], one["target"]) == ("police", "down"))
    assert (line["outcome"], line["attempts_with_it"], line["means"]) == ("throttled", "5", "loss without a queue")
    assert float(line["goodput"]) == 122e3
    assert float(line["policy_rate"]) == 128e3
