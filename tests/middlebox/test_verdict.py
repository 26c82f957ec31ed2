"""The values of an answer."""

from __future__ import annotations

from middlebox.verdict import Decision, Direction, Emission, Verdict


def test_a_direction_has_a_reverse() -> None:
    assert Direction.TO_SERVER.reverse is Direction.TO_CLIENT
    assert Direction.TO_CLIENT.reverse is Direction.TO_SERVER


def test_only_a_decision_that_nobody_could_notice_is_simply_passed() -> None:
    assert Decision(number=0, t_ns=0, verdict=Verdict.PASS).simply_passed
    assert not Decision(number=0, t_ns=0, verdict=Verdict.DROP).simply_passed
    assert not Decision(number=0, t_ns=0, verdict=Verdict.PASS, rule="log").simply_passed
    assert not Decision(number=0, t_ns=0, verdict=Verdict.PASS, rewritten=b"x").simply_passed
    emission = Emission(packet=b"x", at_ns=0, toward=Direction.TO_CLIENT, injector="a")
    assert not Decision(number=0, t_ns=0, verdict=Verdict.PASS, injected=(emission,)).simply_passed


def test_a_row_has_the_columns_of_the_decision_log_in_their_order() -> None:
    row = Decision(number=3, t_ns=5, verdict=Verdict.DROP, flow="f", rule="r", action="drop", reason="why").row("box2")
    assert list(row) == ["t_ns", "box", "flow", "packet", "rule", "action", "verdict", "injected", "reason"]
    assert list(row.values()) == [5, "box2", "f", 3, "r", "drop", "drop", 0, "why"]
