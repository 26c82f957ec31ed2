"""The words of actions become actions."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.ability import Ability, Draw, Placement, fixed
from middlebox.action import Action, AnswerIcmp, Drop, Hold, Inject, Log, Pass, Rewrite, Scope
from middlebox.forge import Unreachable
from middlebox.grammar.doing import ACTION_WORDS, ACTIONS, action_words
from middlebox.grammar.shape import Context
from middlebox.packet import ACK, FIN, RST
from tests.middlebox.grammar.reading import read, refusal


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("pass", Pass()),
        ("log", Log()),
        ("drop", Drop(scope=Scope.PACKET)),
        ("{drop: flow}", Drop(scope=Scope.FLOW)),
        ("{drop: to-client}", Drop(scope=Scope.TO_CLIENT)),
        ("{drop: {what: flow, after: 5-8 packets}}", Drop(scope=Scope.FLOW, after=Draw(5, 8))),
        ("rewrite", Rewrite(flags=RST | ACK)),
        ("{rewrite: RST}", Rewrite(flags=RST)),
        ("{rewrite: {flags: FIN+ACK}}", Rewrite(flags=FIN | ACK)),
        ("{hold: 100-300 ms}", Hold(delay_ns=Draw(100_000_000, 300_000_000))),
        ("{icmp: {unreachable: admin}}", AnswerIcmp(code=Unreachable.ADMIN, source=None, ttl=fixed(64))),
        (
            "{icmp: {unreachable: host, from: 192.0.2.1, ttl: mirror}}",
            AnswerIcmp(code=Unreachable.HOST, source=bytes([192, 0, 2, 1]), ttl=Draw(1, 255, mirror=True)),
        ),
    ],
)
def test_an_action_becomes_what_it_says(text: str, action: Action) -> None:
    assert read(ACTIONS, text) == (action,)
    assert read(ACTIONS, f"[{text}]") == (action,)


def test_a_word_alone_takes_the_defaults() -> None:
    (reset,), (fin,) = read(ACTIONS, "reset"), read(ACTIONS, "fin")
    assert isinstance(reset, Inject)
    assert isinstance(fin, Inject)
    assert (reset.word, reset.injectors[0].flags) == ("reset", RST | ACK)
    assert (fin.word, fin.injectors[0].flags) == ("fin", FIN | ACK)
    assert read(ACTIONS, "reset") == read(ACTIONS, "{reset: {}}")
    assert read(ACTIONS, "fin") == read(ACTIONS, "{fin: {}}")


def test_several_actions_keep_their_order() -> None:
    assert [action.word for action in read(ACTIONS, "[log, reset, {drop: flow}]")] == ["log", "reset", "drop"]


@pytest.mark.parametrize("text", ["drop", "{drop: flow}", "rewrite", "{hold: 1 s}"])
def test_a_box_beside_the_path_takes_no_packet_into_its_hands(text: str) -> None:
    context = Context(folder=Path("/nowhere"), ability=Ability(placement=Placement.ON_PATH))
    assert "box is on-path" in refusal(ACTIONS, text, context).found


def test_every_action_has_its_word_and_what_it_does() -> None:
    assert tuple(action_words()) == ACTION_WORDS
    assert all(action_words().values())
    slow = {"police", "shape", "delay", "lose", "degrade", "freeze"}
    assert set(ACTION_WORDS) == slow | {
        *("pass", "log", "drop", "reset", "fin", "rewrite", "dns", "http", "icmp", "hold"),
    }
