"""A window that is spread over the round trip."""

from __future__ import annotations

import itertools

from testbed.simulate.tcp import Settings
from tests.testbed.simulate.tcp.pair import MS, Pair, everything


def gaps(*, pacing: bool) -> list[float]:
    """Milliseconds between the segments of the first round trip."""
    pair = Pair(server=Settings(pacing=pacing), delay_ms=50).open()
    times: list[int] = []
    pair.back = lambda segment: times.append(pair.clock.now_ns) or [50.0]  # type: ignore[func-returns-value]
    pair.clock.process(everything(pair.client))
    pair.clock.process(pair.server.send(bytes(14_480)))
    pair.clock.run_for(2)
    assert len(times) == 10
    return [(two - one) / MS for one, two in itertools.pairwise(times)]


def test_without_it_a_window_leaves_at_once() -> None:
    assert set(gaps(pacing=False)) == {0.0}


def test_with_it_a_window_takes_half_a_round_trip_in_slow_start() -> None:
    # all but the first few, for which a millisecond's worth may leave at once
    assert all(4.0 <= gap <= 5.1 for gap in gaps(pacing=True)[1:])
