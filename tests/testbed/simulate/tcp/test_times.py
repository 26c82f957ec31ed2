"""Timestamps that wrap, and what they tell."""

from __future__ import annotations

from random import Random

from testbed.simulate.clock import Clock
from testbed.simulate.tcp.segment import MASK
from testbed.simulate.tcp.times import Times

MS = 1_000_000


def test_an_echo_tells_when_its_packet_was_sent() -> None:
    clock = Clock()
    for seed in range(20):
        times = Times(clock, Random(seed), used=True)
        sent = clock.now_ns
        stamp = times.stamp()
        assert stamp is not None
        clock.run_for(0.0301)
        assert times.sent_ns(stamp[0]) == sent - sent % MS


def test_older_is_older_across_the_end_of_the_numbers() -> None:
    times = Times(Clock(), Random(1), used=True)
    times.recent = 5
    assert times.is_old(MASK)
    assert not times.is_old(5)
    assert not times.is_old(6)


def test_without_timestamps_nothing_is_told() -> None:
    times = Times(Clock(), Random(1), used=False)
    assert times.stamp() is None
    assert times.sent_ns(77) == -1
    times.used = True
    assert times.sent_ns(0) == -1
