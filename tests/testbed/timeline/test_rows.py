"""What clients saw becomes rows: judged, counted, and with what the policy means."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from middlebox.policy import Policy
from testbed.fidelity import BoxWatch
from testbed.result import Fidelity, Outcome, Row
from testbed.timeline.rows import MAX_ADDED_S, TRANSFER, Rows
from testbed.workload import Observation, no_result
from tests.testbed.pretended import GOOD_STATS
from tests.testbed.timeline.pretended import POLICY, TIMELINE


def _made(
    seen: Observation,
    *,
    stats: dict[str, Any] | None = None,
    dead: str = "",
    phase: str = "during",
    repeat: int = 1,
    own: Policy | None = None,
    actor: int = 0,
) -> Row:
    found: list[Row] = []
    watch = BoxWatch(lambda: stats, MAX_ADDED_S) if stats else None
    rows = Rows(
        run="r",
        timeline=TIMELINE,
        policy=POLICY,
        seed=1,
        record=found.append,
        slowed_by="engine",
        link_means="none",
        watch=watch,
        serving={},
        repeat=repeat,
        own=own,
    )
    rows.add(
        TIMELINE.actors[actor],
        workload=TRANSFER,
        target="photo",
        transfer="photo",
        phase=phase,
        begin_s=time.time(),
        end_s=time.time() + 0.01,
        seen=seen,
        dead=dead,
        rtt_s=0.12345678,
    )
    return found[0]


OK = Observation(outcome=Outcome.OK, seconds=1.0)


def test_a_row_says_what_was_seen_and_what_was_meant() -> None:
    row = _made(OK)
    assert (row.outcome, row.intended, row.access, row.attempt) == (Outcome.OK, Outcome.BLOCKED, "fixed", 1)
    assert row.rtt_s == 0.123457
    assert _made(OK, phase="after").intended is Outcome.OK


def test_what_died_takes_the_result_with_it_and_is_named() -> None:
    row = _made(OK, dead="the server of x has ended")
    assert (row.outcome, row.fidelity, row.fidelity_reason) == (
        Outcome.NO_RESULT,
        Fidelity.NONE,
        "the server of x has ended",
    )
    assert "the client saw: ok" in row.note
    assert _made(no_result("curl is not there")).fidelity_reason == "curl is not there"


@pytest.mark.parametrize(
    ("change", "fidelity"),
    [
        ({}, Fidelity.OK),
        ({"added_p99_s": 0.05}, Fidelity.OK),
        ({"added_p99_s": 0.2}, Fidelity.SUSPECT),
        ({"queue_drops": 1}, Fidelity.SUSPECT),
        ({"alive": False}, Fidelity.NONE),
    ],
)
def test_the_box_is_judged_by_what_people_notice_and_not_by_races(change: dict[str, Any], fidelity: Fidelity) -> None:
    assert _made(OK, stats={**GOOD_STATS, **change}).fidelity is fidelity


def test_attempts_of_a_second_time_through_have_numbers_of_their_own() -> None:
    assert _made(OK, repeat=2).attempt == 10_001


def test_of_an_own_policy_only_what_its_rules_say_of_a_name_is_meant(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        f"name: {POLICY}\nabout: a copy\nrules:\n"
        "  - {name: r, match: {tls.sni: media.example}, action: {police: {rate: 100 kbit/s, burst: 8 kB}},"
        " when: {phase: during}}\n"
    )
    own = Policy.load(tmp_path / "p.yaml")
    direct, through, asleep = _made(OK, own=own), _made(OK, own=own, actor=1), _made(OK, own=own, phase="after")
    assert (direct.intended, direct.slowed_by) == (Outcome.THROTTLED, "engine")
    assert (through.intended, through.slowed_by) == (None, "engine")
    assert through.as_dict()["intended"] == ""
    assert (asleep.intended, asleep.slowed_by) == (Outcome.OK, "")
