"""A whole document: rules, memories, schedules, sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.ability import Ability, Inspect
from middlebox.action import Drop, Scope
from middlebox.grammar.document import DOCUMENT, GRADES, RULE, SOURCE, Source, matches_everything
from middlebox.grammar.shape import Context, Refused
from middlebox.policy import Key, Memory, Rearm, Rule, Schedule, Start, Window
from middlebox.verdict import Direction
from tests.middlebox.grammar.reading import read, refusal


def rule(rest: str, action: str = "drop") -> Rule:
    return read(RULE, f"{{name: a, match: {{tls.sni: a.example}}, action: {action}, {rest}}}")


def test_a_memory_with_all_its_words() -> None:
    words = "for: 2 min, key: 4-tuple, rearm: on-packet, action: {drop: to-server}, start: data"
    text = f"memory: {{{words}, coverage: 75 %, delay: 1 s}}"
    assert rule(text).memory == Memory(
        duration_ns=120 * 10**9,
        key=Key.FOUR,
        rearm=Rearm.ON_PACKET,
        actions=(Drop(scope=Scope.TO_SERVER),),
        start=Start.DATA,
        coverage=0.75,
        delay_ns=10**9,
    )


@pytest.mark.parametrize(
    ("action", "start"),
    [("drop", Start.SYN), ("{hold: 1 s}", Start.SYN), ("rewrite", Start.SYN), ("{icmp: {unreachable: net}}", Start.SYN),
     ("reset", Start.ESTABLISHED), ("fin", Start.ESTABLISHED), ("[reset, drop]", Start.SYN)],
)  # fmt: skip
def test_where_a_memory_starts_follows_from_its_actions(action: str, start: Start) -> None:
    memory = rule("memory: {for: 1 s, key: client}", action).memory
    assert memory is not None
    assert memory.start is start


def test_a_schedule_with_all_its_words() -> None:
    text = "when: {time: ['08:00-12:00', '22:00-06:00'], days: [sat, sun], phase: trial, timezone: '+05:00'}"
    assert rule(text).when == Schedule(
        windows=(Window(begin_s=28_800, end_s=43_200), Window(begin_s=79_200, end_s=21_600)),
        days=frozenset({5, 6}),
        phases=frozenset({"trial"}),
        utc_offset_s=18_000,
    )


def test_a_source_has_a_grade() -> None:
    assert read(SOURCE, "{what: all of it, source: a paper, grade: P, url: 'https://x.example/'}") == Source(
        what="all of it", source="a paper", grade="P", url="https://x.example/"
    )
    assert read(SOURCE, "{what: all, source: me}").grade == "U"
    assert set(GRADES) == {"P", "S", "AI", "N", "U"}


def test_a_rule_on_what_clients_say_needs_a_box_that_reads_it() -> None:
    deaf = Ability(inspect=Inspect(directions=frozenset({Direction.TO_CLIENT})))
    text = "{name: a, match: {http.host: a.example}, action: drop}"
    assert (
        "does not read the client's side" in refusal(RULE, text, Context(folder=Path("/nowhere"), ability=deaf)).found
    )
    assert read(RULE, "{name: a, match: {server.port: 80}, action: drop}", Context(folder=Path("/"), ability=deaf))


@pytest.mark.parametrize(
    ("text", "all_of_them"),
    [
        ("{name: a, match: {}, action: drop}", True),
        ("{name: a, match: {}, action: log}", False),
        ("{name: a, match: {}, action: drop, chance: 99 %}", False),
        ("{name: a, match: {}, action: drop, when: {days: [mon]}}", False),
        ("{name: a, match: {server.port: 1}, action: drop}", False),
    ],
)
def test_a_rule_that_no_packet_gets_past(text: str, all_of_them: bool) -> None:
    assert matches_everything(read(RULE, text)) is all_of_them


def test_a_broken_box_or_list_brings_no_further_complaints() -> None:
    text = "{name: x, box: {placement: off}, lists: {a: []}, rules: [{name: a, match: {tls.sni: a}, action: drop}]}"
    context = Context(folder=Path("/nowhere"))
    with pytest.raises(Refused):
        read(DOCUMENT, text, context)
    assert [problem.found for problem in context.problems] == ["'off'", "an empty list"]
