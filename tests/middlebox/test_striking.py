"""What is promised for later is bounded and comes in order."""

from __future__ import annotations

import pytest

import middlebox.coming
from middlebox.verdict import Verdict
from tests.middlebox.dialogue import Play, S

HOLD = """
    name: hold
    rules:
      - {name: slow, match: {transport: udp}, action: {hold: 10 s}}
"""


def test_a_box_with_too_much_to_hold_forwards_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middlebox.coming, "MAX_HELD", 3)
    play = Play(HOLD)
    verdicts = [play.ask("a.example", port=1000 + index).verdict for index in range(5)]
    assert verdicts == [Verdict.HOLD] * 3 + [Verdict.PASS] * 2
    assert play.censor.counters()["not_held"] == 2
    play.censor.due(play.now_ns + 60 * S)
    assert play.ask("a.example", port=2000).verdict is Verdict.HOLD


def test_held_packets_leave_in_the_order_of_their_times() -> None:
    play = Play("""
        name: jitter
        rules:
          - {name: slow, match: {transport: udp}, action: {hold: 10-500 ms}}
    """)
    for index in range(50):
        play.ask("a.example", port=1000 + index)
    released = play.censor.due(play.now_ns + S)
    times = [emission.at_ns for emission in released]
    assert times == sorted(times)
    assert sorted(emission.releases for emission in released) == list(range(50))
    assert [emission.releases for emission in released] != list(range(50))
