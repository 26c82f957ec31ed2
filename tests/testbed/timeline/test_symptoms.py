"""What people notice, in a word, and the claims that are held against it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from testbed.result import CONTROL, read_rows
from testbed.stats import middle, wilson
from testbed.timeline.picking import Group
from testbed.timeline.symptoms import Word, answers, checks, symptoms, ways_of, word
from tests.testbed.timeline.pretended import TIMELINE
from tests.testbed.timeline.written import good, row, run_of, whole


def _group(hits: int, n: int, seconds: float = 1.0) -> Group:
    return Group(ok=wilson(hits, n), seconds=middle([seconds] * hits), goodput=None, left_out=0, failures=())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (_group(10, 10), Word.WORKS),
        (_group(10, 10, 2.5), Word.SLOW),
        (_group(8, 10, 1.9), Word.WORKS),
        (_group(7, 10), Word.ERRATIC),
        (_group(2, 10), Word.FAILS),
        (_group(0, 1), Word.FAILS),
        (_group(0, 0), Word.UNKNOWN),
    ],
)
def test_a_situation_is_told_in_a_word(found: Group, expected: Word) -> None:
    assert word(found, _group(50, 50)) is expected


def test_what_is_fast_anyway_is_not_slow_because_it_takes_twice_as_long() -> None:
    assert word(_group(9, 9, 0.5), _group(9, 9, 0.1)) is Word.WORKS


def test_the_matrix_has_a_cell_for_each_situation_that_somebody_is_in(tmp_path: Path) -> None:
    rows, made = whole(tmp_path)
    assert ways_of(made) == [("fixed", False), ("mobile", True)]
    found = {(one.phase, one.through, one.transfer): one.word for one in symptoms(rows, made)}
    assert len(found) == 3 * 2 * 2
    assert found["during", False, "photo"] is Word.FAILS
    assert found["during", False, "text"] is Word.WORKS
    assert found["before", False, "photo"] is found["after", False, "photo"] is Word.WORKS


def test_claims_hold_when_their_bounds_do(tmp_path: Path) -> None:
    rows, made = whole(tmp_path)
    said = answers(rows, made)
    assert [(one.text, one.held) for one in said] == [("photos fail", True), ("text passes", True)]
    assert said[0].measured.startswith("0 of 25 came through (95 % interval 0 % to 13.3 %); expected at most 20 %")
    assert all(check.held for check in checks(symptoms(rows, made), said, rows))


def test_a_claim_about_times_compares_each_transfer_with_its_own_control(tmp_path: Path) -> None:
    claim = dataclasses.replace(TIMELINE.claims[1], times=(0.5, 1.5))
    timeline = dataclasses.replace(TIMELINE, claims=(claim,))
    slow = [row("anna", at_s, target="text", seconds=1.2) for at_s in range(21, 60, 3)]
    made = run_of(tmp_path, [*good(policy=CONTROL), *slow], timeline)
    (said,) = answers(read_rows(tmp_path), made)
    assert not said.held
    assert "the median time is 2.40 to 2.40 times that of the control, expected 0.5 to 1.5" in said.measured


def test_claims_about_a_policy_that_was_not_run_are_not_asked(tmp_path: Path) -> None:
    rows, made = whole(tmp_path)
    made["policies"][0]["name"] = "another"
    assert answers(rows, made) == []


def test_a_control_in_which_things_fail_is_a_fault_of_the_lab(tmp_path: Path) -> None:
    failing = [row("anna", at_s, policy=CONTROL, failure="connection_reset") for at_s in range(1, 99)]
    made = run_of(tmp_path, failing)
    rows = read_rows(tmp_path)
    broken = [check for check in checks(symptoms(rows, made), answers(rows, made), rows) if not check.held]
    assert any(check.lab and "without a policy everything works; 0 of 98" in check.text for check in broken)
