"""Policer and shaper against what a rate means, exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from middlebox.bucket import SECOND_NS, Policer, Shaper

RATES = [75, 600, 8_000, 18_750, 125_000, 1_000_000, 12_500_000]  # bytes a second: 600 bit/s to 100 Mbit/s


@pytest.mark.parametrize("rate", RATES)
def test_a_flood_gets_its_rate_and_its_first_burst_and_no_byte_more(rate: int) -> None:
    size, burst, seconds = 100, 1_000, 50
    policer = Policer(rate=rate, burst=burst, now_ns=0)
    step = max(1, size * SECOND_NS // rate // 5)  # five times too fast
    passed = sum(size for now in range(0, seconds * SECOND_NS, step) if policer.take(size, now)) if step > 10_000 else 0
    if step > 10_000:
        assert burst + rate * seconds - size <= passed <= burst + rate * seconds


def test_a_sender_below_the_rate_loses_nothing() -> None:
    policer = Policer(rate=10_000, burst=1_500, now_ns=0)
    assert all(policer.take(1_500, number * 150_000_000) for number in range(1_000))


def test_twitters_bucket_lets_16_kb_pass_and_then_its_rate() -> None:
    """16 kB at once, then 128 kbit/s (Xue et al., IMC 2021)."""
    policer = Policer(rate=16_000, burst=16_000, now_ns=0)
    assert sum(policer.take(1_000, 0) for _ in range(100)) == 16
    assert sum(policer.take(1_000, SECOND_NS) for _ in range(100)) == 16
    assert sum(policer.take(1_000, SECOND_NS + SECOND_NS // 2) for _ in range(100)) == 8


def test_a_packet_that_is_lost_takes_no_tokens() -> None:
    policer = Policer(rate=1_000, burst=1_000, now_ns=0)
    assert not policer.take(1_001, 0)
    assert policer.take(1_000, 0)


@given(
    st.integers(1, 10**8),
    st.integers(1, 10**6),
    st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 1_500)), max_size=60),
)
def test_no_interval_passes_more_than_burst_plus_rate_times_its_length(
    rate: int, burst: int, packets: list[tuple[int, int]]
) -> None:
    policer = Policer(rate=rate, burst=burst, now_ns=0)
    now, passed = 0, []
    for gap, size in packets:
        now += gap
        if policer.take(size, now):
            passed.append((now, size))
    for index, (begin, _) in enumerate(passed):
        total = 0
        for end, size in passed[index:]:
            total += size
            assert total * SECOND_NS <= burst * SECOND_NS + rate * (end - begin)


@pytest.mark.parametrize("rate", RATES)
def test_a_shaper_spaces_packets_by_its_rate_without_drift(rate: int) -> None:
    shaper = Shaper(rate=rate, limit=10_000)
    leaves = [shaper.enqueue(997, 0) for _ in range(5_000)]
    assert leaves[-1] == -(-997 * 5_000 * SECOND_NS // rate)
    assert all(time is not None for time in leaves)


def test_a_full_queue_loses_what_comes_and_empties_at_its_rate() -> None:
    shaper = Shaper(rate=1_000, limit=3)
    assert [shaper.enqueue(1_000, 0) for _ in range(5)] == [SECOND_NS, 2 * SECOND_NS, 3 * SECOND_NS, None, None]
    assert shaper.enqueue(1_000, SECOND_NS) == 4 * SECOND_NS
    assert len(shaper) == 3


def test_an_idle_shaper_saves_nothing_up() -> None:
    shaper = Shaper(rate=1_000, limit=3)
    assert shaper.enqueue(500, 10 * SECOND_NS) == 10 * SECOND_NS + SECOND_NS // 2


@pytest.mark.parametrize(("rate", "other"), [(0, 1), (1, 0), (-5, 5)])
def test_a_rate_that_means_nothing_cannot_be_built(rate: int, other: int) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        Policer(rate=rate, burst=other, now_ns=0)
    with pytest.raises(ValueError, match="must be above 0"):
        Shaper(rate=rate, limit=other)
