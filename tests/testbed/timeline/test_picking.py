"""Which rows count for which phase."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.result import CONTROL, Fidelity, read_rows
from testbed.timeline.picking import group, placed
from tests.testbed.timeline.written import row, run_of


def test_a_row_counts_where_most_of_it_lies(tmp_path: Path) -> None:
    some = [
        row("anna", 1.0),
        row("anna", 19.9, seconds=4.0),  # begun a moment before the policy woke up
        row("anna", 18.0, seconds=4.0),  # half and half: says nothing of either
        row("anna", 69.0, seconds=1.05),
    ]
    some.append(row("anna", 64.0, seconds=9.0, failure="generic_timeout_error"))  # given up a little after the phase
    made = run_of(tmp_path, some)
    there = placed(read_rows(tmp_path), made)
    assert list(there["in_phase"]) == ["before", "during", "", "during", "during"]
    assert there["since_s"].iloc[0] == pytest.approx(1.0)
    assert there["since_s"].iloc[1] == pytest.approx(-0.1)


def test_of_a_leg_that_was_cut_off_the_rows_own_word_counts(tmp_path: Path) -> None:
    made = run_of(tmp_path, [row("anna", 30.0)])
    made["legs"] = []
    assert list(placed(read_rows(tmp_path), made)["in_phase"]) == ["during"]


def test_a_group_counts_trusted_rows_alone_and_tells_how_many_are_left_out(tmp_path: Path) -> None:
    some = [
        row("anna", 1, policy=CONTROL, seconds=1.0),
        row("anna", 2, policy=CONTROL, seconds=3.0),
        row("anna", 3, policy=CONTROL, failure="connection_reset"),
        row("anna", 4, policy=CONTROL, failure="connection_reset", fidelity=Fidelity.SUSPECT, fidelity_reason="slow"),
    ]
    run_of(tmp_path, some)
    found = group(read_rows(tmp_path))
    assert (found.ok.hits, found.ok.n, found.left_out) == (2, 3, 1)
    assert found.seconds is not None
    assert found.seconds.value == 2.0
    assert found.failures == ("connection_reset",)
    assert group(read_rows(tmp_path).iloc[:0]).ok.n == 0
