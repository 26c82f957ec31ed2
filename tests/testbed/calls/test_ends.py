"""A call between its two ends, over a line that takes its time and loses what it is told to."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from testbed.calls.ends import FRAME_S, PAYLOAD, Caller, Relay
from testbed.calls.packets import read_rtp, read_stun

PEER = ("192.0.2.1", 40_000)
#: whether a datagram gets through: to the relay or not, its number that way, its bytes
Through = Callable[[bool, int, bytes], bool]


def call(
    through: Through = lambda *_: True, *, delay_s: float = 0.05, seconds: float = 4.0, limit_s: float = 20.0
) -> dict[str, Any]:
    """What the caller tells afterwards."""
    now_s, count = 100.0, 0
    caller, relay = Caller(Random(1), seconds, limit_s, now_s), Relay(Random(2))
    coming: list[tuple[float, int, bool, bytes]] = []
    numbers = {True: 0, False: 0}

    def send(up: bool, data: bytes) -> None:
        nonlocal count
        numbers[up] += 1
        count += 1
        if through(up, numbers[up], data):
            heapq.heappush(coming, (now_s + delay_s, count, up, data))

    while not caller.over:
        for data in caller.due(now_s):
            send(True, data)
        for data, peer in relay.due(now_s):
            assert peer == PEER
            send(False, data)
        times = [caller.next_s, *([relay.next_s] if relay.next_s is not None else []), *[one[0] for one in coming[:1]]]
        now_s = max(now_s, min(times))
        while coming and coming[0][0] <= now_s:
            _, _, up, data = heapq.heappop(coming)
            if up:
                for answer in relay.take(data, PEER, now_s):
                    send(False, answer)
            else:
                caller.take(data, now_s)
    return caller.told(now_s)


def test_a_call_that_nothing_disturbs() -> None:
    told = call()
    assert told["connect_s"] == pytest.approx(0.1)
    assert told["first_voice_s"] == pytest.approx(0.2)
    assert told["sent"] == told["heard"] == 200
    assert told["expected"] == 200
    assert told["received"] == pytest.approx(200, abs=8)  # the other's voice begins a round trip later
    assert told["octets"] == told["received"] * PAYLOAD
    assert told["rtt_s"] == pytest.approx(0.1, abs=0.001)
    assert told["longest_gap_s"] == pytest.approx(FRAME_S)
    assert told["jitter_s"] < 0.001
    assert told["silent_s"] < 0.1


def test_a_request_is_sent_again_as_rfc_8489_says() -> None:
    asked: list[float] = []

    def none(up: bool, number: int, data: bytes) -> bool:
        asked.append(number)
        return False

    told = call(none, limit_s=60.0)
    assert len(asked) == 7
    assert told == {"connect_s": None, "received": 0}
    assert call(lambda up, number, _: number > 2 or not up)["connect_s"] == pytest.approx(1.6)  # after 0, 0.5 and 1.5 s


def test_losses_are_counted_at_both_ends() -> None:
    told = call(lambda up, number, data: read_rtp(data) is None or number % (4 if up else 10) != 0, seconds=8.0)
    assert 1 - told["heard"] / told["sent"] == pytest.approx(0.25, abs=0.01)
    assert 1 - told["received"] / told["expected"] == pytest.approx(0.1, abs=0.02)


def test_a_voice_that_breaks_off_is_silent_to_the_end() -> None:
    told = call(lambda up, number, data: up or number < 100, seconds=8.0)
    assert told["silent_s"] == pytest.approx(8.0 - 0.1 - 98 * FRAME_S, abs=0.1)
    told = call(lambda up, number, data: not up or number < 100, seconds=8.0)
    assert told["unheard_s"] > 5.0
    assert told["silent_s"] < 0.2


def test_a_relay_ends_with_a_call_and_forgets_the_silent() -> None:
    relay = Relay(Random(1))
    assert relay.next_s is None
    assert relay.take(b"nothing of ours", PEER, 0.0) == []
    caller = Caller(Random(1), 1.0, 5.0, 0.0)
    (asked,) = caller.due(0.0)
    (answer,) = relay.take(asked, PEER, 0.0)
    said = read_stun(answer)
    assert said is not None
    assert said.mapped == PEER
    caller.take(answer, 0.0)
    for data in caller.due(0.0):
        relay.take(data, PEER, 0.0)
    assert relay.next_s == 0.0
    assert [peer for _, peer in relay.due(0.0)] == [PEER]
    for data in caller.due(1.0):  # BYE
        assert relay.take(data, PEER, 1.0)
    assert relay.next_s is None
    assert relay.due(30.0) == []
    assert not relay._talks
