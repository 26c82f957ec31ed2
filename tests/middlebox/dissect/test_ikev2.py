"""IKEv2: a recorded exchange, and messages that scapy builds."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.ikev2 import IKEv2, IKEv2_KE, IKEv2_Nonce, IKEv2_Notify, IKEv2_Proposal, IKEv2_SA
from scapy.packet import Raw

from middlebox.dissect.base import Follower, Reads, State
from middlebox.dissect.ikev2 import DISSECTOR, MAX_STRANGERS, IkeConversation
from middlebox.verdict import Direction
from tests.middlebox.dissect.captured import DOWN, UP, facts, said

OURS, THEIRS = b"\x11" * 8, b"\x22" * 8
MARKER = bytes(4)


def init(**changes: Any) -> bytes:
    """A request as scapy builds it."""
    words: dict[str, Any] = {"init_SPI": OURS, "exch_type": 34, "flags": "Initiator", "next_payload": "SA"} | changes
    return bytes(
        IKEv2(**words)
        / IKEv2_SA(next_payload="KE", prop=IKEv2_Proposal())
        / IKEv2_KE(next_payload="Nonce", group=31, ke=b"\x05" * 32)
        / IKEv2_Nonce(nonce=b"\x06" * 32)
    )


def answer_init() -> bytes:
    return init(resp_SPI=THEIRS, flags="Response")


def later(exchange: int = 35, number: int = 1, flags: int = 0x08, payload: int = 46) -> bytes:
    """A message with an encrypted payload, written down from RFC 7296, 3.1 and 3.14."""
    body = bytes([35, 0]) + (36).to_bytes(2, "big") + b"\x07" * 32
    head = OURS + THEIRS + bytes([payload, 0x20, exchange, flags]) + number.to_bytes(4, "big")
    return head + (28 + len(body)).to_bytes(4, "big") + body


ESP = b"\xc1\x42\x88\x2d" + b"\0\0\0\x01" + b"\x09" * 72


def begin() -> Follower:
    return DISSECTOR.follow("udp", Reads())


def tell(follower: Follower, message: bytes, direction: Direction = UP) -> IkeConversation:
    answer = follower.take(message, direction)
    assert answer.state is State.FOUND
    return cast(IkeConversation, answer.fact)


def test_a_recorded_exchange_is_told_message_by_message() -> None:
    seen = cast(list[IkeConversation], facts("ikev2"))
    assert [(one.message, one.initiator, one.response, one.handshake) for one in seen[:4]] == [
        ("ike-sa-init", True, False, False),
        ("ike-sa-init", False, True, True),
        ("ike-auth", True, False, True),
        ("ike-auth", False, True, True),
    ]
    assert [one.message for one in seen[4:]] == ["esp"] * 10
    assert seen[-1].esp_packets == 10


@pytest.mark.parametrize(("way", "esp"), [(UP, 5), (DOWN, 5)])
def test_one_direction_is_enough(way: Direction, esp: int) -> None:
    seen = cast(list[IkeConversation], facts("ikev2", frozenset({way})))
    assert [one.message for one in seen[:2]] == ["ike-sa-init", "ike-auth"]
    assert seen[-1].esp_packets == esp


def test_every_field_of_a_message_that_scapy_built() -> None:
    fact = tell(begin(), init())
    assert {field.name: field.get(fact) for field in DISSECTOR.fields} == {
        "ikev2.message": "ike-sa-init",
        "ikev2.initiator": True,
        "ikev2.response": False,
        "ikev2.handshake": False,
        "ikev2.esp_packets": 0,
    }


def test_an_answer_makes_a_handshake_and_so_does_what_follows_one() -> None:
    follower = begin()
    tell(follower, init())
    assert not tell(follower, init(init_SPI=THEIRS, resp_SPI=OURS, flags="Response"), DOWN).handshake, "another SA's"
    assert tell(follower, answer_init(), DOWN).handshake
    assert tell(begin(), later()).handshake


def test_a_cookie_is_answered_alone() -> None:
    """RFC 7296, 2.6: the answer is a notification, without an SPI of the responder's."""
    cookie = bytes(
        IKEv2(init_SPI=OURS, exch_type=34, flags="Response", next_payload="Notify")
        / IKEv2_Notify(type=16390, notify=b"\x08" * 20)
    )
    follower = begin()
    tell(follower, init())
    assert tell(follower, cookie, DOWN).response


@pytest.mark.parametrize(
    ("exchange", "word"),
    [(35, "ike-auth"), (36, "create-child-sa"), (37, "informational"), (43, "ike-intermediate")],
)
def test_later_exchanges_on_either_port(exchange: int, word: str) -> None:
    assert tell(begin(), later(exchange)).message == word
    assert tell(begin(), MARKER + later(exchange)).message == word
    assert tell(begin(), later(exchange, payload=53)).message == word, "a fragment (RFC 7383)"
    assert tell(begin(), MARKER + init()).message == "ike-sa-init"


def test_esp_counts_only_where_ike_was_seen() -> None:
    assert begin().take(ESP, UP).state is State.NOT_MINE
    follower = begin()
    tell(follower, MARKER + later())
    assert tell(follower, ESP).esp_packets == 1
    assert tell(follower, b"\xff").message is None, "a keepalive (RFC 3948, 2.3)"
    assert tell(follower, b"\0\0\0\xff" + ESP[4:]).message is None, "a reserved SPI"
    assert tell(follower, ESP[:4] + bytes(4) + ESP[8:]).message is None, "numbers begin with 1"
    assert tell(follower, ESP, DOWN).esp_packets == 2


def test_a_few_foreign_datagrams_are_borne() -> None:
    follower = begin()
    tell(follower, init())
    for _ in range(MAX_STRANGERS):
        assert tell(follower, b"junk").message is None
    assert follower.take(b"junk", UP).state is State.NOT_MINE


def changed(message: bytes, at: int, value: bytes) -> bytes:
    return message[:at] + value + message[at + len(value) :]


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\xff",
        MARKER,
        init()[:-1],
        init() + b"\0",
        MARKER + MARKER + init(),
        changed(init(), 0, bytes(8)),  # no SPI of the initiator's
        changed(init(), 8, b"\x01"),  # one of the responder's in a request
        changed(init(), 16, b"\x01"),  # IKEv1's SA
        changed(init(), 17, b"\x10"),  # IKEv1
        changed(init(), 18, b"\x02"),  # main mode
        changed(init(), 19, b"\x00"),  # a request that nobody began
        changed(init(), 19, b"\x28"),  # a response of the initiator's
        changed(init(), 19, b"\x48"),  # a reserved flag
        changed(init(), 23, b"\x01"),  # a message ID
        changed(init(), 27, b"\xff"),  # length
        changed(init(), 31, b"\x03"),  # a payload's length
        changed(init(), 31, b"\xff"),
        changed(init(), 29, b"\x01"),  # a payload's reserved flags
        changed(later(), 16, b"\x21"),
        changed(later(), 8, bytes(8)),
        changed(later(), 23, b"\x00"),  # IKE_AUTH is never the first
        changed(later(), 31, b"\x20"),
    ],
)
def test_what_does_not_add_up_is_foreign(first: bytes) -> None:
    assert begin().take(first, UP).state is State.NOT_MINE


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=90), st.booleans()), max_size=12), st.booleans())
def test_no_bytes_raise(datagrams: list[tuple[bytes, bool]], inside: bool) -> None:
    follower = begin()
    if inside:
        tell(follower, MARKER + later())
    for one, up in datagrams:
        follower.take(one, UP if up else DOWN)
    assert follower.held == 0


@settings(deadline=None, max_examples=400)
@given(st.integers(0, 3), st.integers(0, 300), st.integers(1, 255), st.integers(0, 3))
def test_a_recorded_message_with_a_byte_changed_or_cut_never_raises(which: int, at: int, flip: int, cut: int) -> None:
    message = bytearray(said("ikev2")[which].data)
    message[at % len(message)] ^= flip
    begin().take(bytes(message[: len(message) - cut]), UP)
    begin().take(bytes(Raw(bytes(message[: at % len(message)]))), UP)
