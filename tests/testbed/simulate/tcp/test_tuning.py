"""How the window that a receiver tells grows."""

from __future__ import annotations

from testbed.simulate.tcp.round_trips import MS, RoundTrips
from testbed.simulate.tcp.settings import Settings
from testbed.simulate.tcp.tuning import Tuning


def reading(per_round_trip: int, rounds: int, **settings: int) -> Tuning:
    trips = RoundTrips()
    trips.take(100 * MS, 0, 0)
    tuning = Tuning(Settings(**settings), trips)  # type: ignore[arg-type]
    now = 1_000 * MS
    for _ in range(rounds):
        for _ in range(per_round_trip // 1_000):
            now += 100 * MS * 1_000 // per_round_trip
            tuning.on_arrival(1_000)
            tuning.on_read(1_000, 1_000, now)
    return tuning


def test_a_slow_flow_keeps_its_first_window() -> None:
    assert reading(8_000, 50).limit == 65_535


def test_a_fast_flow_gets_more_than_twice_what_it_reads_in_a_round_trip() -> None:
    assert reading(200_000, 20).limit > 400_000


def test_there_is_an_end_to_it() -> None:
    assert reading(200_000, 20, most_window=100_000).limit == 100_000
