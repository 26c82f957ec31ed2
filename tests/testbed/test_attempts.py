"""A leg's attempts, before and after they are made."""

from __future__ import annotations

import dataclasses

from middlebox.policy import Policy
from testbed.attempts import MAIN, Attempts, Made
from testbed.fidelity import WITHOUT_BOX, Judgement
from testbed.result import Fidelity, Outcome, Row
from testbed.series import Series
from testbed.sites import DEFAULT
from testbed.topology import shipped
from testbed.workload import Observation, no_result
from tests.testbed.pretended import SCENARIO


def _attempts(rows: list[Row], kept: list[str] | None = None, policy: str | None = "sni-drop") -> Attempts:
    made = Attempts(
        run="r",
        scenario=SCENARIO,
        policy=Policy.load(policy) if policy else None,
        seed=1,
        topology=shipped(SCENARIO.topology),
        record=rows.append,
        backend="simulate",
        keep=lambda row, series: None if kept is None else kept.append(row.target),
    )
    made.serve(DEFAULT)
    return made


def _made(attempts: Attempts, seen: Observation, judged: Judgement = WITHOUT_BOX) -> Made:
    target = SCENARIO.target("blocked")
    source = attempts.source(target)
    return Made(target=target, number=1, phase=MAIN, source=source, begin_s=1.0, seen=seen, judged=judged)


def test_an_attempt_becomes_a_row_that_says_what_was_meant() -> None:
    rows: list[Row] = []
    attempts = _attempts(rows)
    row = attempts.finish(_made(attempts, Observation(outcome=Outcome.BLOCKED, failure="connection_reset")))
    assert rows == [row]
    assert (row.policy, row.backend, row.outcome, row.intended) == (
        "sni-drop",
        "simulate",
        Outcome.BLOCKED,
        Outcome.BLOCKED,
    )
    assert row.address.startswith("10.0.")


def test_what_could_not_be_made_or_trusted_is_no_result() -> None:
    rows: list[Row] = []
    attempts = _attempts(rows)
    attempts.finish(_made(attempts, no_result("no such program")))
    dead = Judgement(fidelity=Fidelity.NONE, reason="the box did not answer")
    attempts.finish(_made(attempts, Observation(outcome=Outcome.OK), dead))
    assert [(row.outcome, row.fidelity) for row in rows] == [(Outcome.NO_RESULT, Fidelity.NONE)] * 2
    assert rows[0].fidelity_reason == "the attempt could not be made: no such program"
    assert rows[1].note == "the box did not answer; the client saw: ok"


def test_transfers_over_time_are_kept_beside_their_rows() -> None:
    kept: list[str] = []
    attempts = _attempts([], kept, policy=None)
    attempts.finish(_made(attempts, Observation(outcome=Outcome.OK, series=Series(times_s=(1.0,), bytes=(5,)))))
    assert (attempts.name, kept) == ("control", ["blocked"])


def test_what_a_policy_that_knows_tunnels_means_for_one_is_not_known() -> None:
    through = dataclasses.replace(SCENARIO.target("blocked"), tool="wireguard")
    assert _attempts([], policy="vpn-police").meant(through) is None
    assert _attempts([], policy="vpn-police").meant(SCENARIO.target("blocked")) is Outcome.OK
