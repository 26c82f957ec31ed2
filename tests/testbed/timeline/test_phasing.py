"""Any policy sleeps and wakes with the phases."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from middlebox.load import shipped
from middlebox.policy import Policy
from testbed.timeline.phasing import as_shipped, phased


def _words(match: object) -> str:
    """A match without the places of its parts in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(match))


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_policy_can_be_put_into_phases(name: str, tmp_path: Path) -> None:
    policy = Policy.load(name)
    found = phased(policy, ["during"], tmp_path / "policies")
    assert found.name == name
    assert all(rule.when.phases for rule in found.rules)
    assert [_words(rule.match) for rule in found.rules] == [_words(rule.match) for rule in policy.rules]
    assert [rule.actions for rule in found.rules] == [rule.actions for rule in policy.rules]


def test_a_policy_that_names_phases_is_left_alone(tmp_path: Path) -> None:
    policy = Policy.load("pakistan-2024-08")
    assert phased(policy, ["during"], tmp_path) is policy


def test_where_no_phase_is_ruled_a_policy_is_always_awake(tmp_path: Path) -> None:
    policy = Policy.load("sni-drop")
    assert phased(policy, [], tmp_path) is policy


def test_what_else_a_rule_says_of_its_times_stays(tmp_path: Path) -> None:
    found = phased(Policy.load("lesson-8-curfew"), ["during"], tmp_path / "policies")
    (rule,) = found.rules
    assert rule.when.windows
    assert rule.chance == 0.5
    assert rule.when.phases == {"during"}


def test_lists_in_files_beside_the_policy_are_still_found(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("blocked.example\n")
    text = Policy.load("sni-drop").source_text.replace("[blocked.example]", '["file:names.txt"]')
    (tmp_path / "mine.yaml").write_text(text.replace("name: sni-drop", "name: mine"))
    policy = Policy.load(tmp_path / "mine.yaml")
    found = phased(policy, ["during"], tmp_path / "policies")
    assert found.lists == policy.lists


def test_an_edited_copy_that_keeps_its_name_is_not_the_shipped_policy(tmp_path: Path) -> None:
    shipped = Policy.load("vpn-police")
    (tmp_path / "same.yaml").write_text(shipped.source_text)
    (tmp_path / "edited.yaml").write_text(shipped.source_text + "# mine\n")
    (tmp_path / "own.yaml").write_text(shipped.source_text.replace("vpn-police", "own-police"))
    loaded = {name: Policy.load(tmp_path / f"{name}.yaml") for name in ("same", "edited", "own")}
    assert [as_shipped(one) for one in (shipped, *loaded.values())] == [True, True, False, False]
