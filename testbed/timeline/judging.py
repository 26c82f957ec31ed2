"""What had to hold in a run of a timeline, by the kind of its question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testbed.findings import Check

if TYPE_CHECKING:
    import pandas as pd


def checks(rows: pd.DataFrame, manifest: dict[str, Any]) -> list[Check]:
    return []
