"""What a receiver counts, by hand."""

from __future__ import annotations

import pytest

from testbed.calls.hearing import Hearing
from testbed.calls.packets import Report, Rtp, middle


def _hear(numbers: list[int], late_s: dict[int, float] | None = None) -> Hearing:
    hearing = Hearing()
    for number in numbers:
        hearing.took(
            Rtp(number & 0xFFFF, 960 * number, 5, b"12345"), 1.0 + 0.02 * number + (late_s or {}).get(number, 0)
        )
    return hearing


def test_a_whole_stream() -> None:
    hearing = _hear(list(range(10)))
    assert (hearing.received, hearing.expected, hearing.lost, hearing.octets) == (10, 10, 0, 50)
    assert hearing.jitter == pytest.approx(0.0, abs=1e-6)
    assert hearing.longest_gap_s == pytest.approx(0.02)


def test_losses_copies_and_another_order() -> None:
    hearing = _hear([0, 1, 3, 2, 3, 7])
    assert (hearing.received, hearing.expected, hearing.lost) == (5, 8, 3)
    block = hearing.block(2.0)
    assert block is not None
    assert (block.lost, block.lost_256, block.highest) == (3, 96, 7)  # three of eight
    hearing.took(Rtp(8, 0, 5, b""), 2.0)
    block = hearing.block(2.0)
    assert block is not None
    assert (block.lost, block.lost_256) == (3, 0)  # none since


def test_numbers_go_round() -> None:
    hearing = _hear([65_534, 65_535, 65_536, 65_538])
    assert (hearing.received, hearing.expected, hearing.lost, hearing.highest) == (4, 5, 1, 65_538)


def test_jitter_is_the_mean_of_the_differences() -> None:
    # one packet 10 ms late: 480 units more, then 480 less (RFC 3550, A.8: J += (|D| - J) / 16)
    hearing = _hear([0, 1, 2], {1: 0.01})
    assert hearing.jitter == pytest.approx(480 / 16 + (480 - 480 / 16) / 16)


def test_a_report_is_echoed_with_how_long_ago_it_came() -> None:
    hearing = _hear([0])
    hearing.heard_report(Report(5, sent_s=7.25, timestamp=0, packets=1, octets=5), 2.0)
    block = hearing.block(2.5)
    assert block is not None
    assert (block.last, block.since) == (middle(7.25), 32_768)
    assert Hearing().block(1.0) is None
