"""Round trips and timeouts, against what Linux computes."""

from __future__ import annotations

from testbed.simulate.tcp.round_trips import FIRST_RTO_NS, MS, RTO_MAX_NS, RoundTrips


def test_before_any_sample_the_timeout_is_a_second() -> None:
    assert RoundTrips().rto_ns == FIRST_RTO_NS == 1_000 * MS


def test_a_steady_round_trip_has_a_timeout_of_itself_and_200_ms() -> None:
    trips = RoundTrips()
    for number in range(100):
        trips.take(50 * MS, number * 10, number * 10 + 5)
    assert (trips.smoothed_ns, trips.least_ns, trips.rto_ns) == (50 * MS, 50 * MS, 250 * MS)


def test_the_first_sample_gives_three_times_itself_where_that_is_more() -> None:
    trips = RoundTrips()
    trips.take(400 * MS, 0, 1)
    assert trips.rto_ns == 1_200 * MS


def test_a_longer_round_trip_raises_the_timeout_at_once_and_a_shorter_one_lowers_it_slowly() -> None:
    trips = RoundTrips()
    for number in range(50):
        trips.take(100 * MS, number * 10, number * 10 + 5)
    calm = trips.rto_ns
    trips.take(900 * MS, 501, 505)
    assert trips.smoothed_ns == 200 * MS
    assert trips.rto_ns > calm + 500 * MS - 200 * MS
    risen = trips.rto_ns
    trips.take(100 * MS, 511, 515)
    assert risen - 100 * MS < trips.rto_ns < risen


def test_backing_off_doubles_up_to_two_minutes_and_is_taken_back() -> None:
    trips = RoundTrips()
    trips.take(50 * MS, 0, 1)
    first = trips.rto_ns
    trips.back_off()
    assert trips.rto_ns == 2 * first
    for _ in range(20):
        trips.back_off()
    assert trips.rto_ns == RTO_MAX_NS
    trips.take(50 * MS, 2, 3)
    assert trips.rto_ns < 2 * first
