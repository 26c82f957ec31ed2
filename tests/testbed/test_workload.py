"""Targets, observations and what an attempt is given."""

import pytest

from testbed.result import Outcome
from testbed.workload import Ask, Observation, Target, no_result, report_of
from tests.testbed.workloads.on_this_machine import Ended, ThisMachine


def test_a_wrong_target_or_observation_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="small letters"):
        Target(name="No", about="", host="a.example", workload="web", listed=False)
    with pytest.raises(ValueError, match="family 5"):
        Target(name="no", about="", host="a.example", workload="web", listed=False, family=5)
    with pytest.raises(ValueError, match="OONI"):
        Observation(outcome=Outcome.BLOCKED, failure="rst")


def test_the_true_address_is_that_of_the_targets_family() -> None:
    truth = {"a.example": ("203.0.113.10", "2001:db8::10"), "b.example": ("203.0.113.11",)}

    def ask(host: str, family: int) -> Ask:
        target = Target(name="a", about="", host=host, workload="web", listed=False, family=family)
        return Ask(host=ThisMachine(), target=target, limit_s=1, truth=truth)

    assert ask("a.example", 4).address() == "203.0.113.10"
    assert ask("a.example", 6).address() == "2001:db8::10"
    with pytest.raises(ValueError, match=r"'b.example' has no IPv6 address in this lab"):
        ask("b.example", 6).address()


def test_what_could_not_be_tried_says_why_on_one_line() -> None:
    seen = no_result("a\n  b " + "x" * 1000)
    assert seen.outcome is Outcome.NO_RESULT
    assert seen.note.startswith("a b xxx")
    assert len(seen.note) == 300


def test_a_transfer_whose_steady_part_is_empty_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="5 s, of which 5 s are left out"):
        Target(name="a", about="", host="a.example", workload="download", listed=False, seconds=5, skip_s=5)
    with pytest.raises(ValueError, match="expected 0 to 10000000 bytes"):
        Target(name="a", about="", host="a.example", workload="download", listed=False, size=10_000_001)
    with pytest.raises(ValueError, match="a tool's name"):
        Target(name="a", about="", host="a.example", workload="web", listed=False, tool="No VPN")


def test_a_report_is_read_or_there_is_no_result() -> None:
    assert report_of(Ended(stdout='{"ended": "all"}'), 5.0) == {"ended": "all"}
    for done, words in (
        (Ended(timed_out=True), "the client did not end 5 s after its own limit"),
        (Ended(status=1, stdout="", stderr="no such file"), "the client gave no report (exit status 1): no such file"),
    ):
        seen = report_of(done, 5.0)
        assert isinstance(seen, Observation)
        assert (seen.outcome, seen.note) == (Outcome.NO_RESULT, words)
