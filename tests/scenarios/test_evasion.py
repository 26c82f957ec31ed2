"""Evasions in virtual time: who gets past whom follows from what a box is able to do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from middlebox.policy import Policy
from scenarios.evasion import SCENARIO
from testbed.changers import CHANGERS, FAKE_TTL
from testbed.result import read_rows
from testbed.topology import shipped
from testbed.virtual.run import run

#: policy -> the targets that get through
THROUGH = {
    "control": {"plain", "by-split", "by-disorder", "by-fake", "innocent"},
    "tspu-2022": {"by-split", "by-disorder", "by-fake", "innocent"},
    "tspu-like": {"by-fake", "innocent"},
    "sni-strict": {"innocent"},
}


def test_they_evade_a_box_that_does_not_join_segments_and_none_that_joins_and_minds_the_ttl(tmp_path: Path) -> None:
    policies = [Policy.load(name) for name in SCENARIO.policies]
    ran = run(dataclasses.replace(SCENARIO, attempts=2), policies, seed=1, folder=tmp_path, command=["run"])
    rows = read_rows(tmp_path)
    for policy, targets in THROUGH.items():
        here = rows[rows["policy"] == policy]
        assert set(here[here["outcome"] == "ok"]["target"]) == targets, policy
        assert set(here[here["outcome"] == "blocked"]["target"]) == set(here["target"]) - targets, policy
    assert ran.status == 0
    assert set(rows["tool"]) == {"", *CHANGERS}


def test_what_gets_through_is_said_with_its_reason() -> None:
    for policy, targets in THROUGH.items():
        if policy != "control":
            assert {one for name, one in SCENARIO.gets_through if name == policy} == targets - {"innocent"}


@pytest.mark.parametrize("name", ["national", "long", "adsl"])
def test_a_fake_passes_the_box_and_dies_before_the_server(name: str) -> None:
    topology = shipped(name)
    assert topology.hops("client", "box") + 1 < FAKE_TTL <= topology.hops("client", "web")


def test_the_boxes_differ_in_their_abilities_alone() -> None:
    alone, joins, strict = (Policy.load(name).ability for name in SCENARIO.policies)
    assert not alone.reassembly.segments
    assert joins.reassembly.segments
    assert strict.reassembly.segments
    assert strict.minimum_ttl > FAKE_TTL > joins.minimum_ttl
