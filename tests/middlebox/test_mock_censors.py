"""The twelve small censors of the Geneva paper (CCS 2019): one rule, twelve abilities, and what evades which.

No evasion is written into a policy: that a reset ends one box's state and not another's follows from `box:` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP

from middlebox.policy import Policy
from middlebox.verdict import Direction
from tests.middlebox.dialogue import Connection, Play, dropped, get, passed

FOLDER = Path(__file__).parent / "mock_censors"
NAMES = ("1", "2", "3", "4", "5", "6", "7", "8", "8b", "9", "10", "11")
FORBIDDEN = get("any.example", "/?q=ultrasurf")

Move = Callable[[Play, Connection], None]


def box(name: str) -> Play:
    return Play(Policy.load(FOLDER / f"{name}.yaml"))


def plain(play: Play, flow: Connection) -> None:
    """Nothing special."""


def reset(play: Play, flow: Connection) -> None:
    play.give(flow.to_server(flags="R"))


def reset_with_a_wrong_number(play: Play, flow: Connection) -> None:
    play.give(flow.to_server(flags="R", seq=flow.seq + 5_000))


def reset_of_another_connection(play: Play, flow: Connection) -> None:
    play.give(Connection(play, sport=12345).to_server(flags="R"))


def ack_with_a_wrong_number(play: Play, flow: Connection) -> None:
    play.give(flow.to_server(flags="A", seq=flow.seq + 5_000))


def syn_with_a_wrong_number(play: Play, flow: Connection) -> None:
    play.give(flow.to_server(flags="S", seq=flow.seq + 5_000))


def reset_then_junk(play: Play, flow: Connection) -> None:
    reset(play, flow)
    play.give(flow.to_server(b"junk", seq=flow.seq + 5_000))


def reset_then_ack(play: Play, flow: Connection) -> None:
    reset(play, flow)
    ack_with_a_wrong_number(play, flow)


def bad_reset_then_junk(play: Play, flow: Connection) -> None:
    """The reset's checksum is wrong: no server takes it; a box that does not check does."""
    packet = flow.to_server(flags="R")
    packet[TCP].chksum = 0x1234
    play.give(packet)
    play.give(flow.to_server(b"junk", seq=flow.seq + 5_000))


@pytest.mark.parametrize(
    ("move", "evaded"),
    [
        (plain, ""),
        (reset, "6 7 8 8b"),
        (reset_with_a_wrong_number, "6 7 8b"),
        (reset_of_another_connection, "6"),
        (ack_with_a_wrong_number, "4"),
        (syn_with_a_wrong_number, "1 2 3 4 5 6 7 8 8b"),
        (reset_then_junk, "6 7 8 8b 9 10"),
        (reset_then_ack, "4 6 7 8 8b 9 10 11"),
        (bad_reset_then_junk, "6 7 8 8b 9"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_move_evades_those_boxes_whose_belief_it_turns(move: Move, evaded: str) -> None:
    struck = {}
    for name in NAMES:
        play = box(name)
        flow = play.connect(dport=80)
        move(play, flow)
        decision = flow.send(FORBIDDEN)
        struck[name] = bool(decision.rule)
    assert [name for name in NAMES if not struck[name]] == evaded.split()


@pytest.mark.parametrize(("name", "reads"), [(name, name not in ("8b", "11")) for name in NAMES])
def test_a_data_offset_below_five_hides_from_boxes_that_refuse_it(name: str, reads: bool) -> None:
    play = box(name)
    flow = play.connect(dport=80)
    packet = flow.to_server(FORBIDDEN)
    packet[TCP].dataofs = 3
    assert bool(play.give(packet).rule) is reads


@pytest.mark.parametrize(
    ("name", "to_client", "to_server"),
    [("2", 5, 0), ("3", 5, 5), ("5", 0, 5), ("8b", 5, 5), ("10", 5, 5), ("11", 5, 5)],
)
def test_five_resets_go_where_they_are_sent(name: str, to_client: int, to_server: int) -> None:
    play = box(name)
    decision = play.connect(dport=80).send(FORBIDDEN)
    toward = [emission.toward for emission in decision.injected]
    assert toward.count(Direction.TO_CLIENT) == to_client
    assert toward.count(Direction.TO_SERVER) == to_server
    assert all(IP(emission.packet)[TCP].flags == "R" for emission in decision.injected)


@pytest.mark.parametrize("name", ["1", "4", "6", "7", "8", "9"])
def test_all_from_that_client_is_dropped_for_ever(name: str) -> None:
    play = box(name)
    assert dropped(play.connect(dport=80).send(FORBIDDEN))
    play.wait(10_000_000)
    assert dropped(Connection(play, sport=50_000, server="203.0.113.77", dport=22).syn())
    assert passed(Connection(play, client="10.0.0.2").syn())


@pytest.mark.parametrize("name", ["8b", "10", "11"])
def test_both_addresses_are_remembered(name: str) -> None:
    play = box(name)
    play.connect(dport=80).send(FORBIDDEN)
    play.wait(10_000)
    assert play.connect(sport=50_000, dport=8080).send(b"anything").injected
    assert passed(play.connect(sport=50_001, server="203.0.113.77").send(b"anything"))


def test_a_second_connection_takes_the_only_state_away() -> None:
    for name in NAMES:
        play = box(name)
        flow = play.connect(dport=80)
        play.connect(dport=80, sport=41_000)
        assert bool(flow.send(FORBIDDEN).rule) is (name in ("8b", "10", "11")), name
