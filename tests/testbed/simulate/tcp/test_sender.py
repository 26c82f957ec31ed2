"""What holds for every sender, whatever the line does: nothing leaks, a timer is set, every byte arrives once."""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simpy.events import Event

from testbed.simulate.tcp import Segment, Settings
from tests.testbed.simulate.tcp.pair import Pair, check, everything, said

DATA = Random(5).randbytes(400_000)


def damaged(random: Random, loss: float, twice: float, late: float):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """A line that loses, doubles and delays."""

    def fate(segment: Segment) -> list[float]:
        if random.random() < loss:
            return []
        times = [10.0 + (random.random() * 60 if random.random() < late else 0.0)]
        if random.random() < twice:
            times.append(10.0 + random.random() * 100)
        return times

    return fate


@settings(max_examples=30)
@given(
    seed=st.integers(0, 1_000_000),
    loss=st.sampled_from([0.0, 0.05, 0.25]),
    twice=st.sampled_from([0.0, 0.1]),
    late=st.sampled_from([0.0, 0.1]),
    control=st.sampled_from(["reno", "cubic"]),
    sack=st.booleans(),
    times=st.booleans(),
    size=st.integers(0, 30_000),
)
def test_every_byte_arrives_once_and_in_order_and_nothing_leaks(
    seed: int, loss: float, twice: float, late: float, control: str, sack: bool, times: bool, size: int
) -> None:
    told = Settings(control=control, sack=sack, timestamps=times)
    pair = Pair(client=told, server=told, seed=seed).open()
    random = Random(seed)
    pair.there, pair.back = damaged(random, loss, twice, late), damaged(random, loss, twice, late)
    up, down = DATA[:size], DATA[size : size + 20_000]
    got = pair.do(
        everything(pair.server), everything(pair.client), said(pair.client, up), said(pair.server, down), seconds=9_000
    )
    assert got[:2] == [up, down]


@settings(max_examples=10)
@given(seed=st.integers(0, 1_000_000), drops=st.sets(st.integers(0, 60), max_size=30))
def test_whichever_segments_are_lost_the_rest_is_found(seed: int, drops: set[int]) -> None:
    pair = Pair(seed=seed).open()
    count = 0

    def fate(segment: Segment) -> list[float]:
        nonlocal count
        if segment.payload:
            count += 1
        return [] if count - 1 in drops and segment.payload else [10.0]

    pair.back = fate
    pair.client.shutdown()
    assert pair.do(everything(pair.client), said(pair.server, DATA[:80_000]), seconds=300)[0] == DATA[:80_000]


def test_one_loss_costs_no_timeout_and_one_segment() -> None:
    pair = Pair().open()
    segments = iter(range(10_000))
    pair.back = lambda segment: [] if segment.payload and next(segments) == 20 else [10.0]
    pair.do(everything(pair.client), said(pair.server, DATA), seconds=60)
    sender = pair.server.machine.sender
    assert sender.resent == 1
    assert sender.recovery.entered == 1
    assert sender.sent == -(-len(DATA) // 1_448) + 1 + (len(DATA) % 1_448 == 0)


def test_a_lost_tail_is_probed_for_before_the_timeout() -> None:
    pair = Pair().open()
    tail = [DATA[8 * 1_448 : 9 * 1_448], DATA[9 * 1_448 : 14_480]]

    def fate(segment: Segment) -> list[float]:
        if segment.payload in tail:
            tail.remove(segment.payload)
            return []
        return [10.0]

    pair.back = fate
    begin = pair.clock.now_ns
    done: list[int] = []

    def client() -> Generator[Event, Any, None]:
        got = b""
        while len(got) < 14_480:
            got += yield from pair.client.receive()
        done.append(pair.clock.now_ns - begin)

    pair.do(client(), pair.server.send(DATA[:14_480]), seconds=5)
    # two round trips after the last acknowledgement, not the 220 ms of the timeout
    assert 70e6 < done[0] < 110e6
    assert pair.server.machine.sender.recovery.timeouts == 0


def test_ten_segments_leave_before_anything_is_acknowledged() -> None:
    pair = Pair().open()
    pair.said.clear()
    pair.do(pair.server.send(DATA[:100_000]), seconds=0.005)
    assert len(pair.sent_by("server")) == 10
    assert all(len(segment.payload) == 1_448 for segment in pair.sent_by("server"))


@pytest.mark.parametrize("control", ["reno", "cubic"])
def test_a_slow_start_doubles_the_window_each_round_trip(control: str) -> None:
    pair = Pair(server=Settings(control=control), delay_ms=50).open()
    pair.said.clear()
    pair.clock.process(everything(pair.client))
    counts = []
    pair.clock.process(pair.server.send(DATA))
    for _ in range(3):
        pair.clock.run_for(0.1)
        counts.append(sum(1 for one in pair.sent_by("server") if one.payload))
        pair.said.clear()
    assert counts[0] == 10
    assert 18 <= counts[1] <= 20
    assert 33 <= counts[2] <= 40


def test_a_closed_window_is_asked_about_until_it_opens() -> None:
    pair = Pair(client=Settings(first_window=20_000, most_window=20_000)).open()
    pair.clock.process(pair.server.send(DATA[:60_000]))
    pair.clock.run_for(3)
    assert pair.client.machine.unread > 17_000
    probes = [one for one in pair.sent_by("server")[-3:] if not one.payload]
    assert probes
    check(pair.server.machine.sender)
    got: list[bytes] = []

    def client() -> Generator[Event, Any, None]:
        while sum(map(len, got)) < 60_000:
            got.append((yield from pair.client.receive()))

    pair.do(client(), seconds=20)
    assert b"".join(got) == DATA[:60_000]


def test_after_silence_the_window_is_small_again() -> None:
    pair = Pair().open()
    pair.clock.process(everything(pair.client))
    pair.do(pair.server.send(DATA), seconds=5)
    sender = pair.server.machine.sender
    assert sender.window.packets > 40
    pair.clock.run_for(30)
    pair.said.clear()
    pair.do(pair.server.send(DATA[:100_000]), seconds=0.005)
    assert len(pair.sent_by("server")) == 10


def test_a_needless_timeout_is_undone() -> None:
    pair = Pair().open()
    pair.clock.process(everything(pair.client))
    pair.do(pair.server.send(DATA[:100_000]), seconds=2)
    sender = pair.server.machine.sender
    before = sender.window.packets
    late = pair.clock.now_ns + 20 * 1_000_000
    # everything takes half a second longer for a moment: the timer goes off, and nothing was lost
    pair.back = lambda segment: [10.0 if pair.clock.now_ns > late else 510.0]
    pair.do(pair.server.send(DATA[:20_000]), seconds=3)
    assert sender.recovery.undone >= 1
    assert sender.window.packets >= min(before, 10)
    assert sender.window.threshold > 10
