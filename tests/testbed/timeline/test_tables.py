"""The matrices as tables: a word in every cell, and a frame where it is not what was meant."""

from __future__ import annotations

from pathlib import Path

from testbed.timeline.matrix import cells
from testbed.timeline.symptoms import symptoms
from testbed.timeline.tables import symptom_matrix, symptom_numbers, tool_matrix, tool_numbers
from testbed.timeline.values import Kind
from tests.testbed.timeline.pretended import POLICY
from tests.testbed.timeline.written import whole


def test_every_situation_has_its_word_and_its_count(tmp_path: Path) -> None:
    rows, made = whole(tmp_path)
    found = symptoms(rows, made)
    page = symptom_matrix(found, made, POLICY)
    assert "<b>fails</b><small>0 of 25</small>" in page
    assert page.count("<b>works</b>") >= 8
    assert "mobile + VPN" in page
    assert "95 % interval 0 % to 13.3 %" in symptom_numbers(found, POLICY)


def test_every_tool_has_its_class_and_a_frame_where_it_differs(tmp_path: Path) -> None:
    rows, made = whole(tmp_path, Kind.MATRIX)
    found = cells(rows, made)
    page = tool_matrix(found, made)
    assert '<td class="w-blocked"><b>blocked</b>' in page
    assert "a VPN that is not there" in page
    assert page.count("differs") == sum(not one.as_meant for one in found)
    assert "48.0 s" in tool_numbers(found, POLICY)
