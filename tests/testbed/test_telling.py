"""Findings in words: the words of a whole run, exactly."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from testbed.findings import ResidualFound, cells
from testbed.result import Outcome
from testbed.telling import residual_sentence, residual_span, sentences, summary
from tests.testbed.written import GOOD, rows, run_of, suspect, table

WHOLE = """\
blocked of tried  control  sni-drop
blocked           0/10     10/10
innocent          0/10     0/10

control
  Without a policy 20 of 20 attempts got through.
  The median time to the whole answer lay between 0.200 s and 0.200 s by target.

sni-drop
  Of the attempts that the policy means to block, it blocked 10 of 10 (100 %, 95 % interval 72.2 % to 100 %).
  Of the others it blocked 0 of 10 (0 %, 95 % interval 0 % to 27.8 %).
  Overblocking (blocked though not meant): none seen.
  Underblocking (got through though meant): none seen.
  The client saw generic_timeout_error (10).
  The median time to failure was 3.000 s (blocked)."""


def test_a_run_as_it_should_be_reads_like_this(tmp_path: Path) -> None:
    run_of(tmp_path, GOOD)
    assert summary(tmp_path) == WHOLE


def test_over_and_underblocking_are_named_by_target(tmp_path: Path) -> None:
    some = [
        *rows(1, policy="sni-drop", failure="connection_reset"),
        *rows(4, policy="sni-drop", target="blocked", intended=Outcome.BLOCKED),
        *suspect(rows(2, policy="sni-drop")),
    ]
    manifest = run_of(tmp_path, some)
    said = sentences("sni-drop", cells(table(tmp_path), manifest), manifest)
    assert (
        "Overblocking (blocked though not meant) of 'innocent': 1 of 1 (100 %, 95 % interval 20.7 % to 100 %)." in said
    )
    assert "Underblocking (got through though meant) of 'blocked': 4 of 4 (100 %, 95 % interval 51 % to 100 %)." in said
    assert "Left out of all numbers: 2 attempts because the box was overloaded, 0 without a result." in said
    assert "innocent          -        1/1 over" in summary(tmp_path)


def test_an_expected_gap_is_explained_and_a_gap_of_the_rules_is_told(tmp_path: Path) -> None:
    some = [*rows(2, policy="sni-drop", target="blocked", intended=Outcome.BLOCKED)]
    manifest = run_of(tmp_path, some)
    manifest["scenario"]["gets_through"] = {"sni-drop blocked": "the box is old"}
    assert any(
        one.endswith("This is expected: the box is old.")
        for one in sentences("sni-drop", cells(table(tmp_path), manifest), manifest)
    )
    (tmp_path / "two").mkdir()
    manifest = run_of(tmp_path / "two", rows(2, policy="sni-drop", target="blocked"))
    said = sentences("sni-drop", cells(table(tmp_path / "two"), manifest), manifest)
    assert "The rules do not mean 'blocked': 2 of 2 got through." in said


def test_a_policy_that_also_means_innocents_is_called_collateral_damage(tmp_path: Path) -> None:
    some = rows(2, policy="sni-drop", failure="connection_reset", intended=Outcome.BLOCKED)
    manifest = run_of(tmp_path, some)
    said = " ".join(sentences("sni-drop", cells(table(tmp_path), manifest), manifest))
    assert "Collateral damage: the rules also mean 'innocent', and blocked 2 of 2" in said


def _found(
    *probes: tuple[float, bool], triggers: int = 3, beside: bool | None = False, by_port: bool = False
) -> ResidualFound:
    return ResidualFound(policy="p", triggers=triggers, probes=probes, neighbour_blocked=beside, by_port_alone=by_port)


@pytest.mark.parametrize(
    ("found", "span", "words"),
    [
        (_found(triggers=0), "not measured", "the trigger was not blocked"),
        (_found(), "not measured", "no probe could be trusted"),
        (_found((2.0, False), (3.0, False)), "none seen up to 3 s", "got through, 2.0 s to 3.0 s after the trigger."),
        (_found((2.0, False), by_port=True), "not asked: 4-tuples", "was not asked for: it remembers 4-tuples"),
        (_found((2.0, True), (4.0, False), by_port=True), "2.0 to 4.0 s", "for between 2.0 s and 4.0 s."),
        (
            _found((2.0, True), (60.0, True), beside=True),
            "more than 60 s",
            "Another address of the subscriber was hit",
        ),
        (_found((2.0, True), (170.0, True), (190.0, False)), "170.0 to 190.0 s", "for between 170.0 s and 190.0 s."),
        (_found((2.0, False), (3.0, True), (4.0, False)), "3.0 to 4.0 s", "(50 % of the probes until then)"),
    ],
)
def test_residual_censorship_is_told_as_it_was_found(found: ResidualFound, span: str, words: str) -> None:
    assert residual_span(found) == span
    assert words in residual_sentence(found, 60)


@pytest.mark.parametrize(("blocked", "word"), [(True, "was blocked"), (False, "got through")])
def test_while_probes_are_to_come_nothing_is_concluded(blocked: bool, word: str) -> None:
    found = dataclasses.replace(_found((2.0, True), (9.0, blocked)), waiting=True)
    assert residual_span(found) == "still being measured"
    assert residual_sentence(found, 60).endswith(
        f"still being measured; the last probe, 9.0 s after its trigger, {word}."
    )
