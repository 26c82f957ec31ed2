"""An actor at work in virtual time: streams go on side by side, each transfer told with its number and phase."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from testbed.result import Row
from testbed.timeline.rows import TRANSFER
from tests.testbed.virtual.timeline.made import ran


def test_transfers_follow_one_another_with_their_pause(tmp_path: Path) -> None:
    rows: list[Row] = []
    ran(tmp_path / "run", rows)
    mine = [row for row in rows if row.policy == "control" and row.workload == TRANSFER and not row.tool]
    assert [row.attempt for row in mine] == list(range(1, len(mine) + 1))
    assert len({row.address for row in mine}) == len(mine)
    for one, after in pairwise(mine):
        assert one.seconds is not None
        assert after.started_s - (one.started_s + one.seconds) - 0.5 < 1e-3
    assert {row.phase for row in mine} == {"before", "during", "after"}
