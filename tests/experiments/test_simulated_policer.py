"""Simulated TCP against a real kernel's, through a policer: three cells of the measured grid, and how it is read."""

from __future__ import annotations

import pytest

from experiments.simulated_policer import Cell, cells, simulate


def test_the_grid_has_its_cells() -> None:
    every = list(cells())
    assert len(every) == 36
    assert sum(cell.holds_one_round_trip for cell in every) == 28
    assert {cell.control for cell in every} == {"reno", "cubic"}


@pytest.mark.parametrize(
    ("control", "rate", "burst", "rtt"),
    [("cubic", 150_000, 32_000, 0.04), ("reno", 1_000_000, 8_000, 0.04), ("cubic", 1_000_000, 128_000, 0.15)],
)
def test_a_policed_download_is_as_fast_as_on_linux(control: str, rate: int, burst: int, rtt: float) -> None:
    (cell,) = (one for one in cells() if (one.control, one.rate, one.burst, one.rtt) == (control, rate, burst, rtt))
    done = simulate(cell)
    assert abs(done.error(cell)) < 0.05
    assert abs(done.loss - cell.loss) < 0.05


def test_a_cell_gives_the_same_again() -> None:
    cell = Cell(control="cubic", rate=1_000_000, burst=32_000, rtt=0.04, steady=1.0, loss=0.0)
    first, second = (simulate(cell, seconds=5) for _ in range(2))
    assert (first.steady, first.loss, first.packets) == (second.steady, second.loss, second.packets)
