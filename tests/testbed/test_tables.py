"""The report's tables, cell by cell."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from testbed import tables
from testbed.findings import Cell, ResidualFound, cells
from testbed.stats import wilson
from tests.testbed.written import GOOD, run_of, table

CELL = Cell(
    policy="sni-drop",
    target="innocent",
    listed=False,
    intended="ok",
    blocked=wilson(0, 10),
    suspect=0,
    lost=0,
    failures=(),
    to_failure=None,
    to_page=None,
)


def _td(folder: Path, cell: Cell) -> str:
    manifest = run_of(folder, [])
    html = tables.results([cell], manifest)
    line = next(one for one in html.split("<tr>") if "<b>innocent</b>" in one)
    return line.split("<td")[2]  # the first is the control's


def test_a_cell_is_coloured_by_what_was_seen_and_framed_where_the_policy_meant_otherwise(tmp_path: Path) -> None:
    some = dataclasses.replace(CELL, blocked=wilson(3, 10), failures=(("connection_reset", 3),))
    for number, (cell, start, words) in enumerate(
        (
            (CELL, ' class="ok"', "<b>0/10</b> blocked</span><small>0 % to 27.8 %</small>"),
            (some, ' class="some off"', "connection_<wbr>reset</small><small>overblocking"),
            (dataclasses.replace(some, intended="blocked"), ' class="some off"', "underblocking"),
            (dataclasses.replace(CELL, blocked=wilson(9, 9), suspect=1), ' class="blocked off"', "1 left out"),
            (dataclasses.replace(CELL, blocked=wilson(0, 0), suspect=2, lost=1), ' class="none"', "3 left out"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        html = _td(folder, cell)
        assert html.startswith(start), html
        assert words in html


def test_one_line_a_policy_says_how_much_how_and_how_long(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, GOOD)
    beside = ResidualFound(policy="sni-drop", triggers=1, probes=((2.0, True), (4.0, False)), neighbour_blocked=None)
    html = tables.short(cells(table(tmp_path), manifest), [beside], manifest)
    line = html.split("<tr>")[3]
    for words in (
        "<th>sni-drop</th>",
        "<b>10 of 10</b><small>72.2 % to 100 %</small>",
        "<b>0 of 10</b><small>0 % to 27.8 %</small>",
        "generic_<wbr>timeout_<wbr>error (10)",
        "3.00 s",
        "2.0 to 4.0&nbsp;s",
    ):
        assert words in line, words


def test_the_boxes_load_is_told_where_it_was_measured(tmp_path: Path) -> None:
    manifest = run_of(tmp_path, [])
    load = {"added_p99_s": 0.00052, "cpu_share": 0.25, "queue_drops": 3}
    manifest["legs"] = [{"policy": "sni-drop", "boxes": {"box": {"counters": {"packets": 77}}}, "load": load}]
    assert (
        "sni-drop/box was asked about 77 packets, added at most 0.52 ms to one packet in a hundred, took at most 25 % "
        "of a core, lost 3 before it saw them (the worst of windows of 0.25 s)."
    ) in tables.boxes(tmp_path, manifest)
