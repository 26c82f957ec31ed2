"""Values that cannot be wrong, and the clock of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from middlebox.ability import Ability, Placement
from middlebox.action import Drop, Log
from middlebox.match import All
from middlebox.policy import Cycle, Policy, PolicyError, Rule, Schedule, Window

EVERYTHING = All(())
S = 1_000_000_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def test_an_on_path_box_that_is_to_drop_cannot_be_built() -> None:
    rule = Rule(name="all", match=EVERYTHING, actions=(Drop(),))
    with pytest.raises(PolicyError, match="it cannot drop"):
        Policy(name="wrong", ability=Ability(placement=Placement.ON_PATH), rules=(rule,))
    assert Policy(name="right", ability=Ability(placement=Placement.IN_PATH), rules=(rule,)).rules == (rule,)


def test_two_rules_of_one_name_and_an_impossible_chance_are_refused() -> None:
    rule = Rule(name="all", match=EVERYTHING, actions=(Log(),))
    with pytest.raises(PolicyError, match="two rules are called 'all'"):
        Policy(name="twice", rules=(rule, rule))
    with pytest.raises(PolicyError, match="the chance is 0"):
        Rule(name="never", match=EVERYTHING, actions=(Log(),), chance=0)


def test_a_window_may_run_over_midnight() -> None:
    night = Schedule(windows=(Window(begin_s=22 * 3600, end_s=6 * 3600),))
    assert night.awake(at("2024-08-15T23:00:00"), "")
    assert night.awake(at("2024-08-15T05:59:59"), "")
    assert not night.awake(at("2024-08-15T06:00:00"), "")


@pytest.mark.parametrize(
    ("when", "awake"),
    [
        ("2024-08-15T01:00:00", False),  # Thursday: still the night of Wednesday
        ("2024-08-15T21:59:59", False),
        ("2024-08-15T22:00:00", True),
        ("2024-08-16T01:00:00", True),  # Friday
        ("2024-08-16T02:00:00", False),
        ("2024-08-16T23:00:00", False),
    ],
)
def test_a_night_belongs_to_the_day_on_which_it_begins(when: str, awake: bool) -> None:
    night = Schedule(windows=(Window(begin_s=22 * 3600, end_s=2 * 3600),), days=frozenset({3}))
    assert night.awake(at(when), "") is awake


def test_days_count_in_the_schedules_own_time_zone() -> None:
    thursday = Schedule(days=frozenset({3}), utc_offset_s=5 * 3600)  # Pakistan
    assert thursday.awake(at("2024-08-15T12:00:00"), "")  # a Thursday
    assert thursday.awake(at("2024-08-14T19:00:00"), "")  # Thursday 00:00 there
    assert not thursday.awake(at("2024-08-15T19:00:00"), "")


def test_a_rule_of_a_phase_sleeps_in_the_others() -> None:
    trial = Schedule(phases=frozenset({"trial"}))
    assert trial.awake(0, "trial")
    assert not trial.awake(0, "")


def test_a_cycle_begins_awake_when_the_phase_does() -> None:
    turns = Schedule(cycle=Cycle(60 * S, 30 * S))
    for second, awake in ((0, True), (59, True), (60, False), (89, False), (90, True), (151, False)):
        assert turns.awake(1000 * S + second * S, "", 1000 * S) is awake
    assert turns.woke_ns(1100 * S, 1000 * S) == 1090 * S


def test_a_rule_woke_with_its_hours_or_with_its_phase_whichever_came_later() -> None:
    night = Schedule(windows=(Window(begin_s=20 * 3600, end_s=6 * 3600),))
    noon = 1_723_723_200 * S  # 2024-08-15 12:00 UTC
    assert night.woke_ns(noon + 9 * 3600 * S, noon) == noon + 8 * 3600 * S
    assert night.woke_ns(noon + 13 * 3600 * S, noon) == noon + 8 * 3600 * S
    assert night.woke_ns(noon + 9 * 3600 * S, noon + 8 * 3600 * S + 5) == noon + 8 * 3600 * S + 5


def test_hours_and_days_that_follow_each_other_without_a_gap_are_one_time_awake() -> None:
    nights = Schedule(
        windows=(Window(begin_s=22 * 3600, end_s=2 * 3600), Window(begin_s=3600, end_s=6 * 3600)),
        days=frozenset({3, 4}),
        utc_offset_s=3600,
    )
    assert nights.woke_ns(at("2024-08-16T02:30:00"), 0) == at("2024-08-15T21:00:00")  # Friday, from Thursday on
    assert nights.woke_ns(at("2024-08-15T02:30:00"), 0) == at("2024-08-15T00:00:00")  # no night of Wednesday
    weekend = Schedule(days=frozenset({5, 6}))
    assert weekend.woke_ns(at("2024-08-18T12:00:00"), 0) == at("2024-08-17T00:00:00")
    always = Schedule(windows=(Window(begin_s=0, end_s=86_400),))
    assert always.woke_ns(at("2024-08-15T12:00:00"), 5) == 5


def test_a_cycle_without_one_of_its_parts_cannot_be_built() -> None:
    with pytest.raises(PolicyError, match="both above 0"):
        Cycle(60, 0)
