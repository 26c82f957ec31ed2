"""The agreement of two timelines: cells are compared by their words, and a claim is one of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from experiments.agreement.timelines import Pair, Side, agree, compare, figure, summary, table
from testbed.timeline.values import Kind
from tests.testbed.timeline.written import whole


@pytest.fixture(params=[Kind.SYMPTOMS, Kind.MATRIX], ids=lambda kind: kind.value)
def pairs(tmp_path: Path, request: pytest.FixtureRequest) -> list[Pair]:
    whole(tmp_path, request.param)
    return compare(tmp_path, tmp_path)


def test_a_run_agrees_with_itself(pairs: list[Pair], tmp_path: Path) -> None:
    assert pairs
    assert agree(pairs)
    assert f"Of {len(pairs)} cells and claims {len(pairs)} say the same word." in summary(pairs)
    assert "**" not in table(pairs)
    figure(pairs, tmp_path / "agreement.svg")
    assert "<svg" in (tmp_path / "agreement.svg").read_text()


def test_another_word_is_found(pairs: list[Pair]) -> None:
    one = pairs[0]
    other = Side(word="another", group=one.simulated.group)
    changed = [dataclasses.replace(one, simulated=other), *pairs[1:]]
    assert not agree(changed)
    assert f"**{one.emulated.word}, another**" in table(changed)


def test_claims_are_compared_as_well(tmp_path: Path) -> None:
    whole(tmp_path, Kind.SYMPTOMS)
    found = [one.where for one in compare(tmp_path, tmp_path) if one.where[0] == "claim"]
    assert found == [("claim", "photos fail"), ("claim", "text passes")]
