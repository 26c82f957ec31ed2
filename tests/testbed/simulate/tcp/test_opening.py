"""Handshakes: what they agree on, and what happens when their segments are lost or forged."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from simpy.events import Event

from middlebox.packet import ACK, RST, SYN
from testbed.simulate.tcp import Segment, Settings
from testbed.simulate.tcp.phase import Phase
from tests.testbed.simulate.tcp.pair import MS, Pair, everything, said


def test_three_segments_open_a_connection_and_agree() -> None:
    pair = Pair().open()
    assert [(who, segment.flags) for who, segment in pair.said] == [
        ("client", SYN),
        ("server", SYN | ACK),
        ("client", ACK),
    ]
    assert pair.client.phase is pair.server.phase is Phase.ESTABLISHED
    assert pair.client.machine.segment == pair.server.machine.segment == 1_448
    assert pair.server.machine.sender.round_trips.smoothed_ns == 20 * MS


@pytest.mark.parametrize(
    ("client", "server", "segment"),
    [
        (Settings(timestamps=False), Settings(), 1_460),
        (Settings(), Settings(segment=1_000), 988),
        (Settings(segment=500, timestamps=False), Settings(sack=False), 500),
    ],
)
def test_both_ends_keep_to_what_the_other_can(client: Settings, server: Settings, segment: int) -> None:
    pair = Pair(client=client, server=server).open()
    ends = (pair.client.machine, pair.server.machine)
    assert [end.segment for end in ends] == [segment, segment]
    assert {end.times.used for end in ends} == {client.timestamps and server.timestamps}
    assert {end.with_sack for end in ends} == {client.sack and server.sack}
    assert pair.do(everything(pair.server), said(pair.client, bytes(9_000)), seconds=5)[0] == bytes(9_000)


def test_a_syn_is_sent_again_as_linux_does() -> None:
    pair = Pair()
    times: list[float] = []
    pair.there = lambda segment: times.append(pair.clock.elapsed_s) or []  # type: ignore[func-returns-value]

    def client() -> Generator[Event, Any, str]:
        pair.client.opening.ask()
        try:
            yield from pair.client.opened()
        except TimeoutError as error:
            return f"{error} after {pair.clock.elapsed_s:.0f} s"
        return "connected"

    assert pair.do(client(), seconds=300) == ["connection timed out after 131 s"]
    assert times == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]


def test_a_lost_syn_ack_is_sent_again() -> None:
    pair = Pair()
    lost = iter([True])
    pair.back = lambda segment: [] if next(lost, False) else [10.0]
    pair.client.opening.ask()
    pair.clock.run_for(3)
    assert pair.client.phase is pair.server.phase is Phase.ESTABLISHED


def test_a_reset_that_answers_the_syn_refuses() -> None:
    pair = Pair()
    pair.there = lambda segment: []
    pair.client.opening.ask()
    begin = pair.client.machine.begin
    pair.client.handle(Segment(443, 40_000, 0, begin + 1, RST | ACK, 0))
    assert isinstance(pair.client.machine.error, ConnectionRefusedError)


def test_a_bare_reset_does_nothing_to_a_syn() -> None:
    pair = Pair()
    pair.client.opening.ask()
    pair.client.handle(Segment(443, 40_000, 0, 0, RST, 0))
    pair.clock.run_for(0.1)
    assert pair.client.phase is Phase.ESTABLISHED


def test_an_answer_to_another_syn_is_reset_and_changes_nothing() -> None:
    pair = Pair()
    pair.client.opening.ask()
    pair.client.handle(Segment(443, 40_000, 5, 99, SYN | ACK, 0))
    assert pair.sent_by("client")[-1].flags == RST
    assert pair.sent_by("client")[-1].seq == 99
    pair.there = lambda segment: [] if segment.flags & RST else [10.0]
    pair.clock.run_for(0.1)
    assert pair.client.phase is Phase.ESTABLISHED


def test_both_may_ask_at_once() -> None:
    pair = Pair()
    pair.answered = True
    pair.client.opening.ask()
    pair.server.opening.ask()
    pair.clock.run_for(0.5)
    assert pair.client.phase is pair.server.phase is Phase.ESTABLISHED
    assert pair.do(everything(pair.server), said(pair.client, b"hello"), seconds=5)[0] == b"hello"
