"""The benchmark of the engine generates what it says, and its traffic meets the ways that it is to time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.benchmarks.engine import ALL, Workload, run, side_by_side
from experiments.benchmarks.hellos import flights
from middlebox import Censor, Policy
from middlebox.packet import view

BY_NAME = {one.name: one for one in ALL}


def _clients() -> list[list[bytes]]:
    return flights("innocent.example", 2)


@pytest.mark.parametrize(
    ("name", "flows", "packets"),
    [("long flows", 10_000, 204), ("short flows", 200_000, 6), ("a million", 1_000_000, 6)],
)
def test_flows_are_as_many_and_as_long_as_the_bars_say(name: str, flows: int, packets: int) -> None:
    one = BY_NAME[name]
    assert one.flows == flows
    assert [len(kind) for kind in one.kinds([])] == [packets]


def test_every_flow_has_ends_of_its_own() -> None:
    packets = [one for portion in side_by_side(BY_NAME["short flows"].kinds([]), 250) for one in portion]
    assert len(packets) == 250 * 6
    seen = [view(one) for one in packets]
    assert len({one.key for one in seen if one is not None}) == 2 * 250  # each with its answers


def test_the_names_of_the_mix_are_all_read() -> None:
    """The QUIC clients of a banned site are struck, one flow in four."""
    mix = BY_NAME["mix"]
    censor = Censor(Policy.load(mix.policy))
    for portion in side_by_side(mix.kinds(flights("blocked.example", 2)), 80):
        for number, packet in enumerate(portion):
            censor.decide(packet, number)
    assert {name: censor.counters()[f"rule:{name}"] for name in ("tls", "quic")} == {"tls": 0, "quic": 20}


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_a_run_tells_packets_time_and_memory_of_each_quarter(one: Workload) -> None:
    parts = run(replace(one, flows=400), 1.0, _clients())
    assert len(parts) == 4
    assert len({part.packets for part in parts}) == 1
    assert all(part.seconds > 0 and part.megabytes > 0 for part in parts)
