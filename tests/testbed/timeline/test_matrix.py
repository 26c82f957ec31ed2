"""Tools under policies: the class of each cell, and the numbers behind it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from testbed.result import CONTROL, Fidelity, Outcome, Row, read_rows
from testbed.timeline.matrix import Cell, Class, cells, checks
from testbed.timeline.telling import sentences
from testbed.timeline.values import Kind
from tests.testbed.timeline.pretended import POLICY, TIMELINE
from tests.testbed.timeline.written import good, row, run_of, stayed, tried, whole

TIMELINE = dataclasses.replace(TIMELINE, kind=Kind.MATRIX)


def _cell(folder: Path, some: list[Row]) -> Cell:
    made = run_of(folder, [*good(policy=CONTROL), *some], TIMELINE)
    (found,) = [one for one in cells(read_rows(folder), made) if one.tool]
    return found


def _during(**more: object) -> list[Row]:
    words = {"intended": Outcome.BLOCKED, **more}
    return [row("vpn", at_s, **words) for at_s in range(22, 68, 2)]  # type: ignore[arg-type]


def test_nothing_through_new_connections_is_blocked_whatever_open_ones_carried(tmp_path: Path) -> None:
    rows, made = whole(tmp_path, Kind.MATRIX)
    direct, tool = cells(rows, made)
    assert (tool.word, tool.meant, tool.as_meant) == (Class.BLOCKED, Class.BLOCKED, True)
    assert (tool.tries.hits, tool.tries.n) == (3, 3)
    assert (tool.outage_s, tool.recovery_s) == (48, 2.5)
    assert direct.tool == ""
    assert direct.direct is not None


def test_the_same_as_in_the_control_is_untouched(tmp_path: Path) -> None:
    found = _cell(tmp_path, [*_during(), tried(21), stayed("vpn", "during")])
    assert (found.word, found.reasons) == (Class.UNTOUCHED, ())
    assert found.against_control == pytest.approx(1.0)
    assert not found.as_meant


@pytest.mark.parametrize(
    ("some", "reason"),
    [
        (_during(seconds=1.0), "50% of its goodput"),
        ([*_during(), tried(21, failure="generic_timeout_error"), tried(22)], "1 of 2 attempts to connect failed"),
        ([*_during(), *_during(failure="eof_error")], "23 of 46 came through"),
    ],
)
def test_less_or_later_or_not_always_is_degraded_and_says_why(tmp_path: Path, some: list[Row], reason: str) -> None:
    found = _cell(tmp_path, some)
    assert (found.word, found.reasons) == (Class.DEGRADED, (reason,))


@pytest.mark.parametrize(("answered", "expected"), [(2, Class.BLOCKED), (10, Class.BLOCKED), (20, Class.DEGRADED)])
def test_what_answers_now_and_then_is_not_blocked_but_one_or_two_answers_are_nothing(
    answered: int, expected: Class, tmp_path: Path
) -> None:
    told = {"anna, VPN": {"probes": 50, "answered": answered, "longest_outage_s": 9.0}}
    made = run_of(tmp_path, [*good(policy=CONTROL), *_during(failure="generic_timeout_error")], TIMELINE, anew=told)
    (found,) = [one for one in cells(read_rows(tmp_path), made) if one.tool]
    assert found.word is expected


def test_where_the_server_died_its_probes_say_nothing_of_the_policy(tmp_path: Path) -> None:
    dead = [
        dataclasses.replace(
            one, outcome=Outcome.NO_RESULT, failure="", fidelity=Fidelity.NONE, fidelity_reason="the server has ended"
        )
        for one in _during()
    ]
    told = {"anna, VPN": {"probes": 50, "answered": 0, "longest_outage_s": 50.0}}
    made = run_of(tmp_path, [*good(policy=CONTROL), *dead], TIMELINE, anew=told)
    (found,) = [one for one in cells(read_rows(tmp_path), made) if one.tool]
    assert found.word is Class.UNKNOWN


def test_outages_count_where_a_tool_is_left_open_and_not_where_it_must_connect_anew(tmp_path: Path) -> None:
    some = [*_during(), stayed("vpn", "during", outage_s=7)]
    assert _cell(tmp_path, some).reasons == ()
    (tmp_path / "open").mkdir()
    left_open = dataclasses.replace(TIMELINE, left_open=(POLICY,))
    made = run_of(tmp_path / "open", [*good(policy=CONTROL), *some], left_open)
    (found,) = [one for one in cells(read_rows(tmp_path / "open"), made) if one.tool]
    assert found.reasons == ("7 s without an answer",)


@pytest.mark.parametrize(("answered", "expected"), [(36, Class.UNTOUCHED), (25, Class.DEGRADED)])
def test_connecting_anew_is_a_short_outage_and_half_of_the_probes_without_an_answer_is_more(
    answered: int, expected: Class, tmp_path: Path
) -> None:
    anew = dataclasses.replace(TIMELINE, held_s=5)
    made = run_of(tmp_path, [*good(policy=CONTROL), *_during()], anew)
    for leg in made["legs"]:
        count = 50 if leg["policy"] == CONTROL else answered
        leg["anew"] = {"anna, VPN": {"probes": 50, "answered": count, "longest_outage_s": 9.0}}
    (found,) = [one for one in cells(read_rows(tmp_path), made) if one.tool]
    assert found.renews
    assert found.word is expected


def test_where_chance_decides_every_class_is_as_meant(tmp_path: Path) -> None:
    by_chance = tuple(dataclasses.replace(one, by_chance=True) for one in TIMELINE.meant)
    made = run_of(tmp_path, [*good(policy=CONTROL), *_during()], dataclasses.replace(TIMELINE, meant=by_chance))
    (found,) = [one for one in cells(read_rows(tmp_path), made) if one.tool]
    assert (found.word, found.meant, found.as_meant) == (Class.UNTOUCHED, Class.BLOCKED, True)


def test_the_checks_tell_the_lab_from_an_expectation(tmp_path: Path) -> None:
    rows, made = whole(tmp_path, Kind.MATRIX)
    found = cells(rows, made)
    said = checks(found, made, rows)
    assert [check.lab for check in said] == [True, True, False]
    # without a tool photos fail, which this policy's table means for photos alone, not for the line as a whole
    assert said[0].held
    assert said[1].held


def test_a_tool_whose_rows_cannot_be_trusted_has_no_result(tmp_path: Path) -> None:
    lost = [dataclasses.replace(one, fidelity=Fidelity.SUSPECT, fidelity_reason="slow") for one in _during()]
    found = _cell(tmp_path, lost)
    assert found.word is Class.UNKNOWN
    assert not found.as_meant
    made = run_of_again(tmp_path, lost)
    said = checks(cells(read_rows(tmp_path / "again"), made), made, read_rows(tmp_path / "again"))
    assert not said[0].held
    assert "sni-drop/anna, VPN" in said[0].text


def run_of_again(folder: Path, some: list[Row]) -> dict[str, object]:
    (folder / "again").mkdir()
    return run_of(folder / "again", [*good(policy=CONTROL), *some], TIMELINE)


def test_of_a_policy_that_is_not_the_shipped_one_nothing_is_meant_and_no_check_fails(tmp_path: Path) -> None:
    rows, made = whole(tmp_path, Kind.MATRIX)
    made["policies"][0]["known"] = False
    found = cells(rows, made)
    assert {(one.meant, one.off, one.by_chance) for one in found} == {(None, False, False)}
    assert [one.word for one in found if one.tool] == [Class.BLOCKED]
    assert [check.lab for check in checks(found, made, rows)] == [True, True]


def test_where_the_box_died_half_way_there_is_no_word_and_no_blame(tmp_path: Path) -> None:
    gone = {"outcome": Outcome.NO_RESULT, "failure": "", "fidelity": Fidelity.NONE, "fidelity_reason": "box died"}
    some = [
        *(row(who, at_s, intended=Outcome.BLOCKED) for who in ("anna", "vpn") for at_s in range(22, 40, 2)),
        *(row(who, at_s, **gone) for who in ("anna", "vpn") for at_s in range(40, 68, 2)),  # type: ignore[arg-type]
        *(dataclasses.replace(stayed(who, "during", outage_s=28), **gone) for who in ("anna", "vpn")),  # type: ignore[arg-type]
        *(dataclasses.replace(stayed(who, "after", outage_s=30), **gone) for who in ("anna", "vpn")),  # type: ignore[arg-type]
    ]
    probes = {"probes": 50, "answered": 20, "longest_outage_s": 28.0}
    open_ = dataclasses.replace(TIMELINE, left_open=(POLICY,))
    told = {"anna": probes, "anna, VPN": probes}
    made = run_of(tmp_path, [*good(policy=CONTROL), *some], open_, anew=told)
    rows = read_rows(tmp_path)
    found = cells(rows, made)
    assert [(one.word, one.outage_s, one.off, one.stayed_after) for one in found] == [
        (Class.UNKNOWN, None, False, False)
    ] * 2
    assert [(check.lab, check.held) for check in checks(found, made, rows)] == [(True, False), (True, True)]
    assert sentences(POLICY, found) == ["No result for: anna, VPN.", "No result for who used no tool: anna."]
