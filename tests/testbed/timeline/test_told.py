"""What becomes of people along a timeline, told from their probes and attempts alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.result import Outcome, Row
from testbed.timeline.clock import Course, Passed
from testbed.timeline.keeping import Tried
from testbed.timeline.rows import Rows
from testbed.timeline.series import Probe, Series
from testbed.timeline.told import Telling
from tests.testbed.timeline.pretended import TIMELINE

ANNA = TIMELINE.actors[0]


def _telling(folder: Path, rows: list[Row]) -> Telling:
    made = Rows(
        run="r", timeline=TIMELINE, policy="control", seed=1, record=rows.append, link_means="", slowed_by="",
        watch=None, serving={}, repeat=1,
    )  # fmt: skip
    course = Course(TIMELINE.phases, 10.0)
    return Telling(timeline=TIMELINE, rows=made, series=Series(folder / "series.jsonl"), course=course, keeping={})


@pytest.mark.parametrize(
    ("answered", "outcome"), [(10, Outcome.OK), (5, Outcome.DEGRADED), (0, Outcome.BLOCKED)], ids=str
)
def test_a_phase_is_judged_by_how_many_probes_were_answered(tmp_path: Path, answered: int, outcome: Outcome) -> None:
    rows: list[Row] = []
    telling = _telling(tmp_path, rows)
    for number in range(10):
        ok = number < answered
        telling.series.add(Probe(actor=ANNA.name, t=100.0 + number / 2, ended=100.1 + number / 2, ok=ok, rtt=0.02))
    telling.left(Passed(name="during", begin_s=100.0, end_s=105.0))
    row = next(one for one in rows if one.subscriber == ANNA.subscriber)
    assert row.outcome is outcome
    assert telling.anew[ANNA.name]["answered"] == answered


def test_an_attempt_belongs_to_the_phase_in_which_it_began(tmp_path: Path) -> None:
    rows: list[Row] = []
    telling = _telling(tmp_path, rows)
    for phase, now_s in zip(TIMELINE.phases[:2], (100.0, 104.0), strict=True):
        telling.course.begin(phase, now_s)
    telling.tried(ANNA, Tried(begin_s=103.0, seconds=2.0, failure="", note="", attempts=2, since_s=3.0, exit="x"))
    assert [(row.phase, row.time_to_tunnel_s, row.tunnel_attempts) for row in rows] == [("before", 3.0, 2)]
