"""The E-model, by the numbers of its recommendations."""

from __future__ import annotations

import pytest

from testbed.calls.quality import POOR, opinion, rating, score


@pytest.mark.parametrize(("r", "mos"), [(50, 2.58), (60, 3.10), (70, 3.60), (80, 4.03), (90, 4.34), (0, 1.0)])
def test_scores_of_ratings_are_those_of_g_109(r: float, mos: float) -> None:
    assert opinion(r) == pytest.approx(mos, abs=0.01)


def test_delay_and_loss_spoil_it() -> None:
    assert rating(0, 0) == 93.2
    assert rating(150, 0) == pytest.approx(89.6)
    assert rating(400, 0) == pytest.approx(93.2 - 9.6 - 0.11 * 222.7)
    assert rating(0, 0.01) == pytest.approx(93.2 - 95 / 26.1)
    assert rating(0, 0.2) == pytest.approx(93.2 - 95 * 20 / 45.1)
    assert rating(2_000, 0.9) == 0.0


def test_what_people_notice() -> None:
    assert score(0.04, 0.001, 0.0) > 4.3
    assert score(0.04, 0.001, 0.10) < POOR < score(0.04, 0.001, 0.03)
    assert score(0.64, 0.001, 0.0) < POOR < score(0.35, 0.001, 0.0)
    assert score(0.04, 0.05, 0.0) <= score(0.04, 0.01, 0.0)
