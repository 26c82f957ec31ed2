"""The grid's plan and its arithmetic; the cells themselves are run by people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.benchmarks.throttle_grid import (
    CONTROLS,
    RATES,
    Cell,
    batches,
    cells,
    is_off,
    judged,
    line_of,
    lost_of,
    seconds_of,
    told_by,
)
from middlebox.policy import Policy

SLOW = Cell(kind="police", rate=64_000, control="cubic", flows=1, port=7001)


def test_every_rate_has_every_combination_and_a_control() -> None:
    every = list(cells(list(RATES)))
    assert len(every) == len(RATES) * (1 + 12)
    assert len({one.port for one in every}) == len(every)
    assert {one.control for one in every if not one.kind} == set(CONTROLS)


def test_its_policy_is_one(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text("name: grid\nrules:\n" + "\n".join(one.rule for one in cells([64_000]) if one.rule) + "\n")
    assert len(Policy.load(path).rules) == 12


def test_fast_cells_and_controls_run_alone() -> None:
    for batch in batches(list(cells(list(RATES)))):
        assert len(batch) == 1 or all(one.kind and one.rate <= 4_000_000 for one in batch)


def test_slow_cells_are_counted_for_longer() -> None:
    assert seconds_of(SLOW, 20.0) == pytest.approx(93.75)
    assert seconds_of(Cell(kind="shape", rate=4_000_000, control="bbr", flows=1, port=7002), 20.0) == 20.0


def test_what_came_twice_counts_for_the_rate_and_not_as_new() -> None:
    told = [[[0.1, 20_000, 0, 10, 20_000], [4.0, 20_500, 2, 30, 20_000], [9.0, 20_700, 4, 50, 20_000]]]
    found = judged(SLOW, (54, 50 * 1_448, 10.125), told, (46, 100))
    assert found.share == pytest.approx(1.0)
    assert found.goodput == pytest.approx(50 / 54)
    assert (found.rtt_ms, found.base_ms) == (20.7, 20.0)
    assert found.again == pytest.approx(0.1)
    assert found.lost == pytest.approx(0.46)
    assert not is_off(found)
    assert "1.000 of the rate (new: 0.926)" in line_of(found)


def test_loss_is_what_engine_and_kernel_have_dropped() -> None:
    stats = {"counters": {"lost:r7001": 3}, "kernel": {"r7001": {"dropped": {"packets": 7, "bytes": 10_500}}}}
    assert lost_of(SLOW, stats, 90) == (10, 100)
    assert lost_of(SLOW, {}, 0) == (0, 0)


def test_half_a_line_of_a_server_does_no_harm(tmp_path: Path) -> None:
    said = tmp_path / "server.log"
    said.write_text("ready\n" + json.dumps([7001, [[0.1, 1, 2, 3, 4]]]) + "\n")
    assert told_by(said) == {7001: [[[0.1, 1, 2, 3, 4]]]}
