"""Segments that wait for another, as with segmentation offload."""

from __future__ import annotations

from testbed.simulate.tcp import Settings
from tests.testbed.simulate.tcp.pair import Pair, everything


def bursts(*, offload: bool) -> list[int]:
    """How many segments leave at one instant, when the window grows by one a round trip."""
    pair = Pair(server=Settings(offload=offload, control="reno"), delay_ms=50).open()
    times: dict[int, int] = {}

    def back(segment: object) -> list[float]:
        times[pair.clock.now_ns] = times.get(pair.clock.now_ns, 0) + 1
        return [50.0 + 3.0 * times[pair.clock.now_ns]]  # so that acknowledgements come one by one

    pair.back = back
    pair.server.machine.sender.window.threshold = 10
    pair.clock.process(everything(pair.client))
    pair.clock.process(pair.server.send(bytes(400_000)))
    pair.clock.run_for(3)
    return list(times.values())[1:-1]


def test_with_it_hardly_a_segment_leaves_alone() -> None:
    alone = bursts(offload=True)
    assert alone.count(1) < len(alone) // 4


def test_without_it_each_leaves_when_it_may() -> None:
    alone, others = bursts(offload=False), bursts(offload=True)
    assert alone.count(1) > others.count(1)
    assert len(alone) >= len(others)


def test_nothing_is_kept_back_for_ever() -> None:
    for size in (1_448, 2 * 1_448, 14_480, 15_000, 100_001):
        pair = Pair(server=Settings(offload=True)).open()
        received = pair.clock.process(everything(pair.client))
        pair.do(pair.server.send(bytes(size)), seconds=3)
        pair.server.shutdown()
        pair.clock.run_for(1)
        assert received.value == bytes(size)
