"""What a box at the side of the path is unable to do."""

from __future__ import annotations

import pytest

from middlebox.ability import Ability, Draw, Placement
from middlebox.action import Action, AnswerIcmp, Drop, Hold, Inject, Log, Pass, Rewrite, toward_text, unable
from middlebox.forge import Unreachable
from middlebox.verdict import Direction

ON_PATH = Ability(placement=Placement.ON_PATH)


@pytest.mark.parametrize("action", [Drop(), Rewrite(flags=0x14), Hold(delay_ns=Draw(1, 1))])
def test_what_takes_the_packet_itself_needs_a_place_in_the_path(action: Action) -> None:
    assert "an on-path box sees a copy" in (unable(ON_PATH, action) or "")
    assert unable(Ability(), action) is None


@pytest.mark.parametrize(
    "action",
    [Pass(), Log(), Inject(injectors=()), AnswerIcmp(code=Unreachable.HOST, source=None, ttl=Draw(64, 64))],
)
def test_what_only_adds_packets_can_be_done_from_the_side(action: Action) -> None:
    assert unable(ON_PATH, action) is None


def test_the_ends_have_words() -> None:
    assert toward_text(frozenset(Direction)) == "both"
    assert toward_text(frozenset({Direction.TO_CLIENT})) == "client"
    assert toward_text(frozenset({Direction.TO_SERVER})) == "server"
