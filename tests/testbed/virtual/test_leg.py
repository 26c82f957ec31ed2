"""A leg in virtual time makes the attempts of a leg in a lab, in its order, and rows like its own."""

from __future__ import annotations

from testbed.result import Fidelity, Outcome, Row
from tests.testbed.virtual.made import QUICK, leg


def test_each_attempt_is_a_row_from_an_address_of_its_own() -> None:
    rows: list[Row] = []
    made = leg(rows, "sni-drop")
    made.lab.run(made.measure())
    assert {row.target for row in rows} == {target.name for target in QUICK.targets}
    assert len({row.address for row in rows}) == len(QUICK.targets)
    assert all(row.outcome is row.intended for row in rows)
    assert {(row.fidelity, row.box_added_p99_s, row.queue_drops) for row in rows} == {(Fidelity.OK, 0.0, 0)}
    assert {row.backend for row in rows} == {"simulate"}


def test_the_control_has_no_box_and_everything_gets_through() -> None:
    rows: list[Row] = []
    made = leg(rows, None)
    made.lab.run(made.measure())
    assert {(row.policy, row.outcome, row.box_added_p99_s) for row in rows} == {("control", Outcome.OK, None)}
    assert {row.started_s for row in rows[:1]} == {1_735_689_600.0}  # the simulation's own time
