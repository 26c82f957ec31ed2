"""WireGuard: a recorded tunnel, and messages written down from the paper."""

from __future__ import annotations

import random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.base import Follower, Reads, State
from middlebox.dissect.wireguard import DISSECTOR, MAX_MIDDLE, MAX_STRANGERS, WireguardTunnel
from tests.middlebox.dissect.captured import DOWN, UP, facts, said

_CHANCE = random.Random(7)


def initiation(sender: bytes = b"\xaa\x01\x02\x03") -> bytes:
    """Donenfeld, 5.4.2: type, reserved, sender, ephemeral, static, timestamp, two MACs (the second one zero)."""
    return b"\x01\0\0\0" + sender + _CHANCE.randbytes(32 + 48 + 28 + 16) + bytes(16)


def response(receiver: bytes = b"\xaa\x01\x02\x03", sender: bytes = b"\xbb\x01\x02\x03") -> bytes:
    """5.4.3."""
    return b"\x02\0\0\0" + sender + receiver + _CHANCE.randbytes(32 + 16 + 16) + bytes(16)


def cookie(receiver: bytes = b"\xaa\x01\x02\x03") -> bytes:
    """5.4.7."""
    return b"\x03\0\0\0" + receiver + _CHANCE.randbytes(24 + 32)


def data(receiver: bytes = b"\xbb\x01\x02\x03", counter: int = 0, size: int = 32) -> bytes:
    """5.4.6."""
    return b"\x04\0\0\0" + receiver + counter.to_bytes(8, "little") + _CHANCE.randbytes(size - 16)


def begin() -> Follower:
    return DISSECTOR.follow("udp", Reads())


def tell(follower: Follower, message: bytes, direction: object = UP) -> WireguardTunnel | None:
    """What the fact is after a message; None if there is none."""
    assert direction in (UP, DOWN)
    return cast(WireguardTunnel | None, follower.take(message, UP if direction is UP else DOWN).fact)


def told(follower: Follower, message: bytes, direction: object = UP) -> WireguardTunnel:
    fact = tell(follower, message, direction)
    assert fact is not None
    return fact


def test_a_recorded_tunnel_is_told_message_by_message() -> None:
    seen = cast(list[WireguardTunnel], facts("wireguard"))
    assert [one.message for one in seen] == ["initiation", "response"] + ["data"] * 14
    assert [one.handshake for one in seen] == [False] + [True] * 15
    assert [one.data_packets for one in seen] == [0, *range(15)]
    assert seen[-1].data_bytes == sum(len(one.data) for one in said("wireguard")[2:])


@pytest.mark.parametrize(
    ("way", "messages"), [(UP, ["initiation"] + ["data"] * 8), (DOWN, ["response"] + ["data"] * 6)]
)
def test_one_direction_is_enough(way: object, messages: list[str]) -> None:
    assert way in (UP, DOWN)
    seen = cast(list[WireguardTunnel], facts("wireguard", frozenset({UP if way is UP else DOWN})))
    assert [one.message for one in seen] == messages
    assert not seen[0].handshake
    assert seen[1].handshake, "data only follow a handshake"
    assert seen[-1].data_packets == len(messages) - 1


def test_every_field_of_a_message() -> None:
    follower = begin()
    told(follower, initiation())
    told(follower, response(), DOWN)
    fact = told(follower, data(size=96))
    assert {field.name: field.get(fact) for field in DISSECTOR.fields} == {
        "wireguard.message": "data",
        "wireguard.handshake": True,
        "wireguard.data_packets": 1,
        "wireguard.data_bytes": 96,
    }
    assert told(follower, cookie(), DOWN).message == "cookie"


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\x01",
        initiation()[:-1],
        initiation() + b"\0",
        b"\x01\0\0\x01" + initiation()[4:],
        b"\x01\0\0\0" + bytes(144),
        b"\x01\0\0\0" + b"a sentence of the length of a handshake; " * 3 + bytes(21),
        response()[:-1],
        b"\x02\0\0\0" + bytes(range(8)) + bytes(80),
        cookie(),
        data()[:-1],
        data(size=40),
        b"\x05\0\0\0" + bytes(28),
        b"\x04\0\0\x01" + bytes(28),
    ],
)
def test_what_does_not_begin_a_tunnel_ends_the_following(first: bytes) -> None:
    assert begin().take(first, UP).state is State.NOT_MINE


def test_junk_before_the_handshake_evades() -> None:
    """AmneziaWG's Jc: the box asks no more."""
    assert begin().take(_CHANCE.randbytes(50), UP).state is State.NOT_MINE


def test_data_must_name_an_index_that_the_other_end_offered() -> None:
    follower = begin()
    told(follower, initiation())
    told(follower, response(), DOWN)
    strange = told(follower, data(b"\xcc\x01\x02\x03"))
    assert (strange.message, strange.data_packets) == (None, 0)
    assert told(follower, data(b"\xbb\x01\x02\x03")).data_packets == 1
    assert told(follower, data(b"\xaa\x01\x02\x03"), DOWN).data_packets == 2


def test_a_response_must_answer_the_initiation() -> None:
    follower = begin()
    told(follower, initiation())
    other = told(follower, response(b"\xcc\x01\x02\x03"), DOWN)
    assert (other.message, other.handshake) == (None, False)
    assert told(follower, response(), DOWN).handshake


def test_a_new_handshake_of_either_end_keeps_the_old_session_for_a_while() -> None:
    follower = begin()
    told(follower, initiation())
    told(follower, response(), DOWN)
    told(follower, initiation(b"\xbb\x02\x02\x02"), DOWN)
    told(follower, response(b"\xbb\x02\x02\x02", b"\xaa\x02\x02\x02"))
    assert told(follower, data(b"\xbb\x01\x02\x03")).data_packets == 1
    assert told(follower, data(b"\xbb\x02\x02\x02")).data_packets == 2
    for number in range(6):
        told(follower, initiation(bytes((0xBB, 3, 3, number))), DOWN)
    assert told(follower, data(b"\xbb\x01\x02\x03")).message is None, "six handshakes later it is forgotten"


def test_a_few_foreign_datagrams_inside_a_tunnel_are_borne() -> None:
    follower = begin()
    told(follower, initiation())
    for _ in range(MAX_STRANGERS):
        assert told(follower, b"junk").message is None
    assert told(follower, data()).data_packets == 1
    for _ in range(MAX_STRANGERS):
        told(follower, b"junk")
    assert follower.take(b"junk", UP).state is State.NOT_MINE


def test_a_tunnel_is_picked_up_in_its_middle_by_three_counters_in_a_row() -> None:
    follower = begin()
    assert follower.take(data(counter=500), UP).state is State.NEED_MORE
    assert follower.take(data(b"\xaa\x01\x02\x03", 9), DOWN).state is State.NEED_MORE
    assert follower.take(data(counter=501), UP).state is State.NEED_MORE
    fact = told(follower, data(counter=503))
    assert (fact.message, fact.handshake, fact.data_packets) == ("data", True, 4)
    assert told(follower, data(b"\xcc\x01\x02\x03")).message is None, "the indexes are known from now on"
    assert told(follower, data(b"\xaa\x01\x02\x03", 10), DOWN).data_packets == 5


@pytest.mark.parametrize("counters", [(5, 5, 5, 5, 5), (9, 8, 7, 6, 5), (0, 10_000, 20_000, 30_000), (2**63, 5, 2**62)])
def test_counters_that_do_not_grow_as_counters_do_are_none(counters: tuple[int, ...]) -> None:
    follower = begin()
    assert all(follower.take(data(counter=counter), UP).fact is None for counter in counters)


def test_a_structure_with_a_counter_is_no_tunnel() -> None:
    follower = begin()
    for counter in range(5):
        record = b"\x04\0\0\0" + b"\0\0\0\x07" + counter.to_bytes(8, "little") + b"\0\0\x80\x3f" * 4
        assert follower.take(record, UP).state is State.NOT_MINE


def test_nobody_waits_for_ever_for_counters_that_grow() -> None:
    follower = begin()
    states = [follower.take(data(), UP).state for _ in range(MAX_MIDDLE)]
    assert states == [State.NEED_MORE] * (MAX_MIDDLE - 1) + [State.NOT_MINE]


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=160), st.booleans()), max_size=12), st.booleans())
def test_no_bytes_raise(datagrams: list[tuple[bytes, bool]], inside: bool) -> None:
    follower = begin()
    if inside:
        told(follower, initiation())
    for one, up in datagrams:
        follower.take(one, UP if up else DOWN)
    assert follower.held == 0


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([0, 1, 2, 3, 8]), st.integers(0, 147), st.integers(1, 255))
def test_a_handshake_with_a_byte_changed_never_raises_and_counts_no_data(which: int, at: int, flip: int) -> None:
    messages = [one.data for one in said("wireguard")]
    broken = bytearray(messages[which])
    broken[at % len(broken)] ^= flip
    follower = begin()
    for number, message in enumerate(messages[:3]):
        follower.take(bytes(broken) if number == which else message, said("wireguard")[number].direction)
