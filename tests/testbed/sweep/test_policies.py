"""Policies of a sweep: found, varied, loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.action import Slow
from testbed.sweep import policies
from testbed.sweep.values import Parameter, Span

RATE = "rules.0.action.police.rate"
WITH_FILE = """\
name: mine
lists: {banned: ["file:names.txt"]}
rules:
  - name: sni
    match: {tls.sni: {under: banned}}
    action: {drop: flow}
"""


def test_a_cells_policy_has_its_values() -> None:
    chosen = policies.choose("throttle-police")
    policy = policies.of_cell(chosen, ((RATE, "64 kbit/s"), ("rules.0.chance", "50 %")))
    action = policy.rules[0].actions[0]
    assert isinstance(action, Slow)
    assert policy.rules[0].chance == 0.5
    assert "rate: 64 kbit/s" in policy.source_text
    assert policies.of_cell(chosen, ()).source_text == chosen.text


def test_each_value_is_tried_with_the_loaders_own_message() -> None:
    chosen = [policies.choose("throttle-police")]
    policies.check(chosen, [Parameter(RATE, ("64 kbit/s",)), Parameter("rtt", ("any",))])
    with pytest.raises(ValueError, match="found '64'") as caught:
        policies.check(chosen, [Parameter(RATE, ("128 kbit/s", "64"))])
    assert str(caught.value).splitlines()[:2] == [
        f"with {RATE}=64:",
        "throttle-police.yaml:34:29: found '64'; expected a rate with its unit (bit/s, kbit/s, Mbit/s, Gbit/s, or B/s, "
        "kB/s, MB/s) such as '128 kbit/s'; which unit? write it like: 64 kbit/s",
    ]


def test_of_a_span_both_ends_are_tried() -> None:
    with pytest.raises(ValueError, match=r"with rules\.0\.chance=200 %"):
        policies.check([policies.choose("sni-drop")], [Parameter("rules.0.chance", Span(10, 200, "%"))])


def test_lists_in_files_of_their_own_are_part_of_what_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(WITH_FILE)
    (tmp_path / "names.txt").write_text("blocked.example\n")
    before = policies.choose(str(tmp_path / "mine.yaml"))
    policies.of_cell(before, (("rules.0.chance", "50 %"),))
    (tmp_path / "names.txt").write_text("other.example\n")
    after = policies.choose(str(tmp_path / "mine.yaml"))
    assert before.text == after.text
    assert before.lists != after.lists
    policies.of_cell.cache_clear()
    with pytest.raises(ValueError, match="not those any more that the sweep began with"):
        policies.of_cell(before, (("rules.0.chance", "50 %"),))
