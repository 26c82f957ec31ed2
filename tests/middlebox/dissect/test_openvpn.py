"""OpenVPN: recorded connections in all wrappings, and packets written down from its wire protocol."""

from __future__ import annotations

import random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.base import Follower, Reading, Reads, State
from middlebox.dissect.openvpn import DISSECTOR, MAX_FRAME, MAX_STRANGERS, OpenvpnTunnel, reset_kind
from middlebox.verdict import Direction
from tests.middlebox.dissect.captured import DOWN, UP, Said, facts, follow, said

_CHANCE = random.Random(7)
OURS, THEIRS = b"\x01" * 8, b"\x02" * 8
CLIENT_RESET = b"\x38" + OURS + bytes(5)
SERVER_RESET = b"\x40" + THEIRS + b"\x01" + bytes(4) + OURS + bytes(4)
ACK = b"\x28" + OURS + b"\x01" + bytes(4) + THEIRS
CONTROL = b"\x20" + OURS + b"\x00" + b"\0\0\0\x01" + b"\x16\x03\x01 and so on"
DATA = b"\x48\0\0\0" + b"\0\0\0\x01" + bytes(60)
RECORDED = {
    "openvpn-udp": ("hard-reset-client-v2", False, 43),
    "openvpn-tcp": ("hard-reset-client-v2", False, 1),
    "openvpn-tls-auth": ("hard-reset-client-v2", True, 10),
    "openvpn-tls-auth-256": ("hard-reset-client-v2", True, 10),
    "openvpn-tls-crypt": ("hard-reset-client-v2", True, 10),
    "openvpn-tls-crypt-v2": ("hard-reset-client-v3", True, 10),
    "openvpn-tcp-tls-crypt": ("hard-reset-client-v2", True, 1),
}


def begin(transport: str = "udp") -> Follower:
    return DISSECTOR.follow(transport, Reads())


def tell(follower: Follower, packet: bytes, direction: Direction = UP) -> OpenvpnTunnel:
    answer = follower.take(packet, direction)
    assert answer.state is State.FOUND
    return cast(OpenvpnTunnel, answer.fact)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_recorded_connection_is_told_packet_by_packet(name: str) -> None:
    first, wrapped, data_packets = RECORDED[name]
    seen = cast(list[OpenvpnTunnel], facts(name))
    assert [one.message for one in seen[:2]] == [first, "hard-reset-server-v2"]
    assert (seen[0].handshake, seen[1].handshake) == (False, True)
    assert {one.wrapped for one in seen} == {wrapped}
    assert not any(one.message is None for one in seen)
    assert seen[-1].data_packets == data_packets
    assert seen[-1].control_packets == len(seen) - data_packets
    assert seen[-1].message == "data-v2"


@pytest.mark.parametrize("name", sorted(RECORDED))
@pytest.mark.parametrize("way", [UP, DOWN])
def test_one_direction_is_enough(name: str, way: Direction) -> None:
    seen = cast(list[OpenvpnTunnel], facts(name, frozenset({way})))
    assert seen[0].message == (RECORDED[name][0] if way is UP else "hard-reset-server-v2")
    assert not seen[0].handshake
    assert seen[1].handshake, "the next packet repeats the session ID"


def test_a_recorded_connection_over_tcp_is_told_alike_however_it_is_cut() -> None:
    whole = facts("openvpn-tcp-tls-crypt")
    for size in (1, 7, 500):
        cut = [
            Said(one.flow, one.direction, one.data[at : at + size])
            for one in said("openvpn-tcp-tls-crypt")
            for at in range(0, len(one.data), size)
        ]
        assert follow("openvpn", cut) == whole


def test_every_field_of_a_packet() -> None:
    follower = begin()
    tell(follower, CLIENT_RESET)
    tell(follower, SERVER_RESET, DOWN)
    fact = tell(follower, DATA)
    assert {field.name: field.get(fact) for field in DISSECTOR.fields} == {
        "openvpn.message": "data-v2",
        "openvpn.wrapped": False,
        "openvpn.handshake": True,
        "openvpn.control_packets": 2,
        "openvpn.data_packets": 1,
    }
    assert tell(follower, ACK).message == "ack-v1"
    assert tell(follower, CONTROL).message == "control-v1"
    assert tell(follower, b"\x1b" + CONTROL[1:]).message == "soft-reset-v1", "the low bits are a key's number"
    assert tell(follower, b"\x33" + DATA[1:]).message == "data-v1"


def wrapped(first: int, digest: int, *, acked: bool = False, crypt: bool = False, number: int = 1) -> bytes:
    """A reset under tls-auth with a digest of this size, or under tls-crypt."""
    replay = number.to_bytes(4, "big") + b"\x6b\x07\x60\x5d"
    inner = b"\x01" + bytes(4) + OURS + bytes(4) if acked else bytes(5)
    if crypt:
        return bytes([first]) + THEIRS + replay + _CHANCE.randbytes(digest + len(inner))
    return bytes([first]) + THEIRS + _CHANCE.randbytes(digest) + replay + inner


@pytest.mark.parametrize("digest", [16, 20, 28, 32, 48, 64])
def test_tls_auth_with_each_digest(digest: int) -> None:
    assert reset_kind(wrapped(0x38, digest)) == "wrapped"
    assert reset_kind(wrapped(0x40, digest, acked=True)) == "wrapped"
    assert reset_kind(wrapped(0x38, digest, number=65)) == ""
    assert reset_kind(wrapped(0x38, digest, number=0)) == ""
    assert reset_kind(wrapped(0x38, digest)[:-1] + b"\x01") == ""


def test_tls_crypt_of_both_sorts() -> None:
    assert reset_kind(wrapped(0x38, 32, crypt=True)) == "wrapped"
    assert reset_kind(wrapped(0x38, 32, crypt=True, number=0x0F000001)) == "wrapped"
    assert reset_kind(wrapped(0x38, 32, crypt=True, number=0x0E000001)) == ""
    assert reset_kind(wrapped(0x40, 32, acked=True, crypt=True)) == "wrapped"
    assert reset_kind(wrapped(0x40, 38, acked=True, crypt=True)) == "wrapped", "with early negotiation"
    key = _CHANCE.randbytes(297) + (299).to_bytes(2, "big")
    assert reset_kind(wrapped(0x50, 32, crypt=True) + key) == "wrapped"
    assert reset_kind(wrapped(0x50, 32, crypt=True) + key[1:]) == ""
    assert reset_kind(wrapped(0x50, 32, crypt=True)) == ""


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\x38",
        CLIENT_RESET[:-1],
        CLIENT_RESET + b"\0",
        b"\x39" + CLIENT_RESET[1:],  # a key's number
        b"\x38" + bytes(13),  # no session ID
        CLIENT_RESET[:9] + b"\x01" + bytes(4),
        CLIENT_RESET[:-1] + b"\x01",
        b"\x08" + CLIENT_RESET[1:],  # key method 1
        SERVER_RESET[:9] + b"\x02" + SERVER_RESET[10:],
        SERVER_RESET[:-1] + b"\x01",
        SERVER_RESET[:14] + bytes(8) + bytes(4),
        ACK,
        CONTROL,
        DATA,
    ],
)
def test_what_does_not_begin_with_a_reset_ends_the_following(first: bytes) -> None:
    assert begin().take(first, UP).state is State.NOT_MINE
    framed = len(first).to_bytes(2, "big") + first
    assert begin("tcp").take(framed, UP).state is not State.FOUND
    assert begin("tcp").take(framed + bytes(60), UP).state is State.NOT_MINE


def test_a_reset_that_is_only_sent_again_is_no_handshake() -> None:
    follower = begin()
    for count in range(1, 9):
        fact = tell(follower, CLIENT_RESET)
        assert (fact.handshake, fact.control_packets) == (False, count)


def test_a_reset_that_answers_another_session_does_not_count() -> None:
    follower = begin()
    tell(follower, CLIENT_RESET)
    assert tell(follower, SERVER_RESET[:14] + b"\x09" * 8 + bytes(4), DOWN).message is None
    assert tell(follower, SERVER_RESET, DOWN).handshake


def test_a_control_packet_of_another_session_does_not_count() -> None:
    follower = begin()
    tell(follower, CLIENT_RESET)
    fact = tell(follower, b"\x20" + b"\x09" * 8 + CONTROL[9:])
    assert (fact.message, fact.handshake) == (None, False)


def test_a_client_that_begins_anew_is_followed() -> None:
    follower = begin()
    tell(follower, CLIENT_RESET)
    tell(follower, SERVER_RESET, DOWN)
    tell(follower, b"\x38" + b"\x07" * 8 + bytes(5))
    assert tell(follower, b"\x20" + b"\x07" * 8 + CONTROL[9:]).message == "control-v1"


def test_a_few_foreign_datagrams_are_borne_over_udp_and_none_over_tcp() -> None:
    follower = begin()
    tell(follower, CLIENT_RESET)
    for _ in range(MAX_STRANGERS):
        assert tell(follower, b"\xff" * 30).message is None
    assert tell(follower, ACK).message == "ack-v1"
    for _ in range(MAX_STRANGERS):
        tell(follower, b"\xff" * 30)
    assert follower.take(b"\xff" * 30, UP).state is State.NOT_MINE
    over_tcp = begin("tcp")
    tell(over_tcp, b"\0\x0e" + CLIENT_RESET)
    assert over_tcp.take(b"\0\x1e" + b"\xff" * 30, UP).state is State.NOT_MINE


@pytest.mark.parametrize(
    ("start", "state"),
    [
        (b"\0", State.NEED_MORE),
        (b"\0\x0e", State.NEED_MORE),
        (b"\0\x0e\x38", State.NEED_MORE),
        (b"\0\x0e\x16", State.NOT_MINE),
        (b"\0\x0d", State.NOT_MINE),
        (b"\x05\0", State.NOT_MINE),
        (b"\x16", State.NEED_MORE),
        (b"\x16\x03", State.NOT_MINE),
        (b"GET / HTTP/1.1", State.NOT_MINE),
        (b"S", State.NOT_MINE),
    ],
)
def test_over_tcp_the_first_three_bytes_tell(start: bytes, state: State) -> None:
    answer: Reading = DISSECTOR.read(start, "tcp", Reads())
    assert answer.state is state
    assert state is not State.NEED_MORE or answer.need > len(start)


def test_a_frame_beyond_the_bound_ends_the_following() -> None:
    follower = begin("tcp")
    tell(follower, b"\0\x0e" + CLIENT_RESET)
    assert follower.take(MAX_FRAME.to_bytes(2, "big"), UP).need == MAX_FRAME + 2
    assert follower.take((MAX_FRAME + 1).to_bytes(2, "big"), UP).state is State.NOT_MINE


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=90), st.booleans()), max_size=12), st.booleans(), st.booleans())
def test_no_bytes_raise(packets: list[tuple[bytes, bool]], inside: bool, tcp: bool) -> None:
    follower = begin("tcp" if tcp else "udp")
    if inside:
        tell(follower, b"\0\x0e" + CLIENT_RESET if tcp else CLIENT_RESET)
    for one, up in packets:
        answer = follower.take(one, UP if up else DOWN)
        if answer.state is State.NEED_MORE:
            assert answer.need > len(one)
        elif answer.state is State.FOUND:
            assert 0 < answer.consumed <= len(one) or not one
    assert follower.held == 0


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(RECORDED)), st.integers(0, 5), st.integers(0, 400), st.integers(1, 255))
def test_a_recorded_packet_with_a_byte_changed_never_raises(name: str, which: int, at: int, flip: int) -> None:
    flow = list(said(name))[:8]
    broken = bytearray(flow[which].data)
    broken[at % len(broken)] ^= flip
    flow[which] = Said(flow[which].flow, flow[which].direction, bytes(broken))
    follow("openvpn", flow)
