"""The box's figures: quantiles that hold within a bucket's width, windows that do not disturb each other."""

from __future__ import annotations

import random
import time
from statistics import quantiles

import pytest

from middlebox.drivers.meter import MAX_WINDOWS, Durations, Meter


def test_quantiles_are_within_two_percent_of_the_exact_ones() -> None:
    dice = random.Random(7)
    drawn = [int(dice.lognormvariate(11, 2)) for _ in range(20_000)]
    durations = Durations()
    for duration in drawn:
        durations.add(duration)
    exact = quantiles(drawn, n=100)
    found = durations.quantiles((0.5, 0.99))
    assert found == [pytest.approx(exact[49], rel=0.02), pytest.approx(exact[98], rel=0.02)]


@pytest.mark.parametrize("duration", [0, 1, 127, 128, 129, 191, 192, 255, 256, 10**6, 10**9, (1 << 40) - 1])
def test_one_duration_is_given_back_within_a_bucket(duration: int) -> None:
    durations = Durations()
    durations.add(duration)
    assert durations.quantiles((0.5,)) == [pytest.approx(duration, rel=1 / 64)]


def test_a_negative_duration_counts_as_none_and_an_endless_one_as_the_longest() -> None:
    durations = Durations()
    durations.add(-5)
    durations.add(1 << 62)
    assert durations.quantiles((0.5, 1.0)) == [0, pytest.approx(1 << 40, rel=1 / 64)]


def test_nothing_counted_has_no_quantile() -> None:
    assert Durations().quantiles((0.5, 0.99)) == [None, None]


def test_a_window_sees_only_what_came_after_its_reset() -> None:
    meter = Meter(0)
    meter.packets = 10
    meter.added.add(1_000_000_000)
    before = meter.read("", 5, 3, reset=True)
    assert before["packets"] == 10
    assert before["queue_drops"] == 3
    assert before["added_p99_s"] == pytest.approx(1, rel=0.02)
    meter.packets = 12
    meter.added.add(1_000)
    after = meter.read("", 9, 4, reset=False)
    assert after["since"] == 5
    assert after["packets"] == 2
    assert after["queue_drops"] == 1
    assert after["added_p99_s"] == pytest.approx(1e-6, rel=0.02)


def test_windows_of_two_names_do_not_disturb_each_other() -> None:
    meter = Meter(0)
    meter.read("one", 1, 0, reset=True)
    meter.packets = 5
    meter.read("two", 2, 0, reset=True)
    meter.packets = 8
    assert meter.read("one", 3, 0, reset=False)["packets"] == 8
    assert meter.read("two", 3, 0, reset=False)["packets"] == 3
    assert meter.read("never opened", 3, 0, reset=False)["packets"] == 8


def test_more_windows_than_there_is_room_for_end_the_oldest() -> None:
    meter = Meter(0)
    meter.packets = 1
    for number in range(MAX_WINDOWS + 1):
        meter.read(str(number), number + 1, 0, reset=True)
    assert meter.read("0", 0, 0, reset=False)["packets"] == 1  # back to the box's start
    assert meter.read("1", 0, 0, reset=False)["packets"] == 0


def test_the_share_of_the_processor_is_that_of_the_window() -> None:
    meter = Meter(0)
    meter.read("", 0, 0, reset=True)
    until = time.process_time() + 0.02
    while time.process_time() < until:
        pass
    busy = meter.read("", 0, 0, reset=True)["cpu_share"]
    time.sleep(0.02)
    idle = meter.read("", 0, 0, reset=False)["cpu_share"]
    assert isinstance(busy, float)
    assert isinstance(idle, float)
    assert idle < 0.5 * busy
