"""The words of what slows a flow down, and the values that they become."""

from __future__ import annotations

import pytest

from middlebox.ability import Draw
from middlebox.action import Amount, Count, Delay, Freeze, Lose, Lost, Police, Ramp, Shape, Share, Slowing
from middlebox.grammar.doing import ACTION
from middlebox.grammar.slowing import SLOWINGS
from middlebox.verdict import Direction
from tests.middlebox.grammar.reading import read, refusal

SERVER = frozenset({Direction.TO_SERVER})


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("{police: 128 kbit/s}", Police(rate=16_000, burst=16_000)),
        ("{police: {rate: 600 B/s}}", Police(rate=600, burst=1_500)),
        ("{police: {rate: 128 kbit/s, burst: 8 kB, per: class, direction: to-server}}",
         Police(rate=16_000, burst=8_000, per=Share.CLASS, directions=SERVER)),
        ("{police: {rate: 1 Mbit/s, after: 64 kB, until: 1 MB, ramp: {from: 8 Mbit/s, over: 60 s}}}",
         Police(rate=125_000, burst=125_000, after=Amount(bytes=64_000), until=Amount(bytes=10**6),
                ramp=Ramp(10**6, 60 * 10**9))),
        ("{shape: 1 Mbit/s}", Shape(rate=125_000)),
        ("{shape: {rate: 1 Mbit/s, queue: 64 kB, per: 2-tuple}}",
         Shape(rate=125_000, queue=Amount(bytes=64_000), per=Share.TWO)),
        ("{delay: 100-300 ms}", Delay(delay_ns=Draw(10**8, 3 * 10**8))),
        ("{delay: {by: 1 s, reorder: true, until: 4 kB}}",
         Delay(delay_ns=Draw(10**9, 10**9), reorder=True, until=Amount(bytes=4_000))),
        ("{lose: 10 %}", Lose(share=0.1)),
        ("{lose: {share: 5 %, what: acks}}", Lose(share=0.05, what=Lost.ACKS)),
        ("{degrade: 5}", Lose(share=0.95, word="degrade")),
        ("{degrade: {to: 0, direction: to-server}}", Lose(share=1.0, word="degrade", directions=SERVER)),
        ("{freeze: 25 packets}", Freeze(amount=Amount(packets=25))),
        ("{freeze: {after: 16 kB, count: both}}", Freeze(amount=Amount(bytes=16_000), count=Count.BOTH)),
    ],
)  # fmt: skip
def test_each_form_becomes_its_action(text: str, action: Slowing) -> None:
    assert read(ACTION, text) == action


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("host", "client"), ("destination", "server"), ("connection", "flow"), ("application", "class")],
)
def test_other_names_for_whose_traffic_it_is_lead_to_ours(wrong: str, right: str) -> None:
    assert refusal(ACTION, f"{{police: {{rate: 1 Mbit/s, per: {wrong}}}}}").suggestion == f"write: {right}"


def test_a_plain_policer_is_told_from_one_with_conditions() -> None:
    plain = read(ACTION, "{police: 128 kbit/s}")
    assert isinstance(plain, Police)
    assert plain.plain
    late = read(ACTION, "{police: {rate: 128 kbit/s, after: 64 kB}}")
    assert isinstance(late, Police)
    assert not late.plain


def test_every_word_says_what_it_does() -> None:
    assert set(SLOWINGS) == {"police", "shape", "delay", "lose", "degrade", "freeze"}
    assert all(about for _, about in SLOWINGS.values())
