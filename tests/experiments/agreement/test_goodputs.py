"""The agreement of two runs of transfers: what differs is found, and what is left to chance is not judged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from experiments.agreement.goodputs import Pair, agree, compare, figure, summary, table
from testbed.stats import Median, Ratio
from tests.testbed.throughput.slowed import run_of


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    run_of(tmp_path)
    return compare(tmp_path, tmp_path)


def test_a_run_agrees_with_itself(pairs: list[Pair], tmp_path: Path) -> None:
    assert agree(pairs)
    assert any(one.held for one in pairs)
    assert all(one.apart in (None, 0.0) for one in pairs)
    assert "differs by 0.0% in the median" in summary(pairs)
    assert "**" not in table(pairs)
    figure(pairs, tmp_path / "agreement.svg")
    assert "<svg" in (tmp_path / "agreement.svg").read_text()


def _slower(pair: Pair, times: float) -> Pair:
    there = pair.simulated.goodput
    assert there is not None
    less = Median(there.value * times, there.low, there.high, there.n, there.coverage)
    return Pair(emulated=pair.emulated, simulated=dataclasses.replace(pair.simulated, goodput=less))


def test_goodput_under_a_rate_is_judged_in_the_median_and_in_the_worst(pairs: list[Pair]) -> None:
    held = [one for one in pairs if one.held]
    assert agree([_slower(one, 0.96) for one in held])
    assert not agree([_slower(one, 0.93) for one in held])
    assert not _slower(held[0], 0.89).agrees
    assert "**-11.0%**" in table([_slower(held[0], 0.89)])


def test_goodput_without_a_rate_is_told_and_not_judged(pairs: list[Pair]) -> None:
    free = next(one for one in pairs if not one.held and one.apart is not None)
    slower = _slower(free, 0.5)
    assert slower.agrees
    assert slower.apart == pytest.approx(-0.5)


def test_another_outcome_or_ratio_is_found(pairs: list[Pair]) -> None:
    held = next(one for one in pairs if one.held)
    other = dataclasses.replace(held.simulated, outcomes=(("blocked", 5),))
    assert not Pair(emulated=held.emulated, simulated=other).agrees
    far = dataclasses.replace(held.simulated, ratio=Ratio(0.5, 0.5, 0.5, 0.95))
    assert not Pair(emulated=held.emulated, simulated=far).agrees
