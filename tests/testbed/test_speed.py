"""A slow machine gets a slow network, in proportion; an ordinary one gets it as it is."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from testbed.speed import REFERENCE_S, slowdown, slowed, step
from testbed.topology import shipped


@pytest.mark.parametrize(
    ("times_slower", "factor"), [(0.5, 1), (1, 1), (8, 1), (9, 5), (10, 5), (15, 10), (30, 20), (45, 20), (500, 20)]
)
def test_the_factor_follows_the_machine(times_slower: float, factor: int) -> None:
    assert step(times_slower * REFERENCE_S) == factor


def test_load_alone_never_changes_the_factor() -> None:
    alone = slowdown()
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        assert [slowdown() for _ in range(3)] == [alone] * 3
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_a_processor_that_takes_twenty_times_as_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.thread_time
    monkeypatch.setattr("testbed.speed.time", SimpleNamespace(thread_time=lambda: 20 * real(), sleep=lambda s: None))
    assert slowdown() >= 5


def test_it_is_found_also_by_a_clock_that_moves_by_four_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.thread_time
    coarse = SimpleNamespace(thread_time=lambda: 20 * real() // 0.004 * 0.004, sleep=lambda s: None)
    monkeypatch.setattr("testbed.speed.time", coarse)
    assert slowdown() >= 5


def test_all_proportions_of_the_network_are_kept() -> None:
    fast = shipped("national")
    slow = slowed(fast, 10)
    assert slow.delay("client", "web") == pytest.approx(10 * fast.delay("client", "web"))
    assert slow.path("client", "web") == fast.path("client", "web")
    for before, after in zip(fast.links, slow.links, strict=True):
        for one, other in ((before.to_a, after.to_a), (before.to_b, after.to_b)):
            assert other.jitter == one.jitter * 10
            assert other.rate == (None if one.rate is None else one.rate / 10)
            assert other.queue_packets == one.queue_packets
            assert other.loss == one.loss
    assert slowed(fast, 1) is fast
