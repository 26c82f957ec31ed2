"""The kind of the question decides what had to hold."""

from __future__ import annotations

from pathlib import Path

from testbed.timeline.judging import checks
from testbed.timeline.values import Kind
from tests.testbed.timeline.written import whole


def test_symptoms_are_judged_by_the_scenarios_claims(tmp_path: Path) -> None:
    said = checks(*whole(tmp_path))
    assert any(check.text.startswith("photos fail") for check in said)


def test_a_matrix_is_judged_by_what_each_policy_means(tmp_path: Path) -> None:
    said = checks(*whole(tmp_path, Kind.MATRIX))
    assert any("what it says" in check.text for check in said)
