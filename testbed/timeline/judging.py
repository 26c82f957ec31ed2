"""What had to hold in a run of a timeline, by the kind of its question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testbed.findings import Check
from testbed.timeline import matrix, symptoms
from testbed.timeline.values import Kind

if TYPE_CHECKING:
    import pandas as pd


def checks(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[Check]:
    """The checks of a run, which its exit status follows."""
    if Kind(manifest["scenario"]["kind"]) is Kind.MATRIX:
        return matrix.checks(matrix.cells(rows, manifest), manifest, rows)
    return symptoms.checks(symptoms.symptoms(rows, manifest), symptoms.answers(rows, manifest), rows)
