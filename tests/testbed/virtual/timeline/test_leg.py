"""A leg in virtual time: who is caught in the middle when the policy wakes, and who connects anew."""

from __future__ import annotations

from pathlib import Path

from testbed.result import Fidelity, Outcome, Row
from testbed.timeline.rows import CONNECT, STAY, TRANSFER
from tests.testbed.virtual.timeline.made import ran


def test_rows_tell_of_transfers_connections_and_whole_phases(tmp_path: Path) -> None:
    rows: list[Row] = []
    ran(tmp_path / "run", rows)
    ruled = [row for row in rows if row.policy != "control"]
    assert {row.workload for row in rows} == {TRANSFER, CONNECT, STAY}
    assert {row.backend for row in rows} == {"simulate"}
    assert {row.fidelity for row in rows} == {Fidelity.OK}
    stays = {(row.subscriber, row.phase): row for row in ruled if row.workload == STAY}
    assert stays["client", "during"].outcome is Outcome.OK
    assert stays["client2", "before"].outcome is Outcome.OK
    assert stays["client2", "during"].outcome is not Outcome.OK
    assert stays["client2", "after"].recovery_s is not None
    tried = [row for row in ruled if row.workload == CONNECT]
    assert [row.outcome for row in tried if row.phase == "before"] == [Outcome.OK]
    assert {row.outcome for row in tried if row.phase == "during"} == {Outcome.BLOCKED}
    assert any(row.outcome is Outcome.OK for row in tried if row.phase == "after")
    direct = [row for row in ruled if row.workload == TRANSFER and not row.tool]
    assert {row.outcome for row in direct} == {Outcome.OK}


def test_without_a_policy_the_tunnel_stays_as_it_is(tmp_path: Path) -> None:
    rows: list[Row] = []
    ran(tmp_path / "run", rows)
    control = [row for row in rows if row.policy == "control"]
    assert len([row for row in control if row.workload == CONNECT]) == 1
    assert {row.outcome for row in control} == {Outcome.OK}
    through = [row for row in control if row.tool and row.workload == TRANSFER]
    assert {row.exit_address for row in through} == {"198.51.100.201"}
