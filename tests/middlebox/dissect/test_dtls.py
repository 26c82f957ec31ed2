"""DTLS: recorded hellos, whole and in fragments, and bodies written down from the RFCs."""

from __future__ import annotations

import hashlib
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.base import ENDLESS, Follower, Reads, State
from middlebox.dissect.dtls import DISSECTOR, MAX_FRAGMENTS, MAX_HELLO, MAX_WAITING, DtlsHello
from middlebox.verdict import Direction
from tests.middlebox.dissect.captured import DOWN, UP, facts, said
from tests.middlebox.dissect.recorded import extension, names

STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"\x07" * 12


def body(*extensions: bytes, cookie: bytes = b"", version: bytes = b"\xfe\xfd", session: bytes = b"") -> bytes:
    """A ClientHello, written down from RFC 6347, 4.2.1."""
    block = b"".join(extensions)
    return (
        version
        + bytes(range(32))
        + bytes([len(session)])
        + session
        + bytes([len(cookie)])
        + cookie
        + b"\0\x04\xc0\x2b\xc0\x2f\x01\0"
        + len(block).to_bytes(2, "big")
        + block
    )


def record(fragment: bytes, *, kind: int = 22, epoch: int = 0, number: int = 0, version: bytes = b"\xfe\xff") -> bytes:
    """RFC 6347, 4.1."""
    return (
        bytes([kind])
        + version
        + epoch.to_bytes(2, "big")
        + number.to_bytes(6, "big")
        + len(fragment).to_bytes(2, "big")
        + fragment
    )


def piece(whole: bytes, low: int = 0, high: int | None = None, *, number: int = 0, kind: int = 1) -> bytes:
    """A handshake message or a fragment of it: RFC 6347, 4.2.2."""
    part = whole[low:high]
    return (
        bytes([kind])
        + len(whole).to_bytes(3, "big")
        + number.to_bytes(2, "big")
        + low.to_bytes(3, "big")
        + len(part).to_bytes(3, "big")
        + part
    )


HELLO = body(names((0, b"blocked.example")), extension(16, b"\0\x03\x02h2"))


def begin() -> Follower:
    return DISSECTOR.follow("udp", Reads())


def tell(follower: Follower, datagram: bytes, direction: Direction = UP) -> DtlsHello:
    answer = follower.take(datagram, direction)
    assert answer.state is State.FOUND
    return cast(DtlsHello, answer.fact)


@pytest.mark.parametrize("name", ["dtls", "dtls-cookie", "dtls-fragments"])
@pytest.mark.parametrize("ways", [frozenset({UP}), frozenset({UP, DOWN})])
def test_both_hellos_of_a_recorded_handshake_are_read(name: str, ways: frozenset[Direction]) -> None:
    first, second = [one for one in facts(name, ways) if isinstance(one, DtlsHello)]
    assert (first.cookie, second.cookie) == (False, True)
    assert first.sni == second.sni == "blocked.example"
    assert first.version_words == ("1.2",)
    assert first.ja3 == second.ja3
    assert (first.alpn is not None) is (name != "dtls")


def test_the_server_has_nothing_to_say_here() -> None:
    assert facts("dtls", frozenset({DOWN})) == []


def test_the_hello_of_anyconnect_has_no_name() -> None:
    (hello,) = [one for one in facts("anyconnect") if isinstance(one, DtlsHello)]
    assert (hello.sni, hello.cookie, hello.hello) == (None, False, True)


def test_every_field_of_a_hello() -> None:
    fact = tell(begin(), record(piece(HELLO)))
    text = "65277,49195-49199,0-16,,"
    assert {field.name: field.get(fact) for field in DISSECTOR.fields} == {
        "dtls.hello": True,
        "dtls.sni": "blocked.example",
        "dtls.alpn": ("h2",),
        "dtls.version": ("1.2",),
        "dtls.extension": (0, 16),
        "dtls.cipher": (0xC02B, 0xC02F),
        "dtls.cookie": False,
        "dtls.ja3": hashlib.md5(text.encode()).hexdigest(),
        "dtls.ja4": f"dd2d0202h2_{hashlib.sha256(b'c02b,c02f').hexdigest()[:12]}_000000000000",
    }


def test_versions_count_downward() -> None:
    """RFC 9147, 5.3: DTLS 1.3 says so in an extension."""
    newest = tell(begin(), record(piece(body(extension(43, b"\x04\xfe\xfc\xfe\xfd"), version=b"\xfe\xfd"))))
    assert newest.version_words == ("1.3", "1.2")
    assert newest.ja4.startswith("dd3i")
    oldest = tell(begin(), record(piece(body(version=b"\xfe\xff"))))
    assert oldest.version_words == ("1.0",)
    assert oldest.ja4.startswith("dd1i")


def test_a_second_hello_with_a_cookie_is_the_last() -> None:
    follower = begin()
    assert follower.take(record(piece(HELLO)), UP).consumed < ENDLESS
    again = body(names((0, b"other.example")), cookie=b"\x05" * 20, session=b"\x06" * 32)
    answer = follower.take(record(piece(again, number=1), number=1), UP)
    assert (answer.consumed, cast(DtlsHello, answer.fact).sni) == (ENDLESS, "other.example")


def test_a_hello_without_a_cookie_is_followed_until_the_client_says_something_else() -> None:
    follower = begin()
    tell(follower, record(piece(HELLO)))
    for other, way in ((record(piece(HELLO, kind=2)), DOWN), (STUN, UP)):
        answer = follower.take(other, way)
        assert answer.fact is not None
        assert all(field.get(answer.fact) is None for field in DISSECTOR.fields), "it is not the hello's again"
    assert tell(follower, record(piece(HELLO))).sni == "blocked.example", "sent again"
    assert follower.take(record(piece(HELLO, kind=16)), UP).state is State.NOT_MINE


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 1, 0, 2), (0, 2, 0, 1)])
def test_fragments_join_in_any_order_over_datagrams(order: tuple[int, ...]) -> None:
    cuts = [(0, 30), (20, 60), (60, None)]  # two of them overlap (RFC 6347, 4.2.3)
    follower = begin()
    for number, which in enumerate(order):
        answer = follower.take(record(piece(HELLO, *cuts[which]), number=number), UP)
        assert (answer.state is State.FOUND) is (number == len(order) - 1)
        assert (follower.held > 0) is (number < len(order) - 1)
    assert cast(DtlsHello, answer.fact).sni == "blocked.example"


def test_fragments_join_within_a_datagram() -> None:
    datagram = record(piece(HELLO, 0, 40)) + record(piece(HELLO, 40), number=1)
    assert tell(begin(), datagram).sni == "blocked.example"
    assert tell(begin(), datagram + b"\0").sni == "blocked.example", "what follows a hello in its datagram is not read"


def test_the_pieces_of_one_hello_are_not_those_of_the_next() -> None:
    follower = begin()
    assert follower.take(record(piece(HELLO, 0, 40)), UP).state is State.NEED_MORE
    again = body(names((0, b"other.example")), cookie=b"\x05" * 20)
    assert follower.take(record(piece(again, 40, number=1)), UP).state is State.NEED_MORE
    assert tell(follower, record(piece(again, 0, 40, number=1))).sni == "other.example"


def test_pieces_are_bounded() -> None:
    long = body(extension(99, bytes(1_000)))
    follower = begin()
    states = [follower.take(record(piece(long, at, at + 1)), UP).state for at in range(MAX_FRAGMENTS + 1)]
    assert states == [State.NEED_MORE] * MAX_FRAGMENTS + [State.NOT_MINE]
    assert follower.held <= MAX_FRAGMENTS


def test_stun_may_come_first() -> None:
    """RFC 7983: connectivity checks of WebRTC, of Snowflake, in the same flow."""
    follower = begin()
    for direction in (UP, DOWN, UP):
        assert follower.take(STUN, direction).state is State.NEED_MORE
    assert tell(follower, record(piece(HELLO)), DOWN).sni == "blocked.example", "whoever was called may begin"
    for _ in range(MAX_WAITING - 3):
        assert follower.take(STUN, UP).state is State.FOUND
    assert follower.take(STUN, UP).state is State.NOT_MINE


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"\x16\xfe\xff",
        STUN[:19],
        record(piece(HELLO))[:-1],
        record(piece(HELLO), kind=23),
        record(piece(HELLO), epoch=1),
        record(piece(HELLO), number=1 << 40),
        record(piece(HELLO), version=b"\x03\x03"),
        record(piece(HELLO, kind=2)),
        record(piece(HELLO, number=2)),
        record(piece(HELLO) + b"\0"),
        record(piece(body(version=b"\x03\x03"))),
        record(piece(HELLO[:-1])),
        record(piece(HELLO[:34] + b"\x21" + HELLO[35:])),
        record(b"\x01" + (MAX_HELLO + 1).to_bytes(3, "big") + bytes(5) + b"\0\0\x0a" + bytes(10)),
        record(b"\x01\0\0\x80\0\0" + b"\0\0\x7f" + b"\0\0\x0a" + bytes(10)),  # beyond the message's end
    ],
)
def test_what_is_no_hello_is_foreign(first: bytes) -> None:
    assert begin().take(first, UP).state is State.NOT_MINE


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 2)), max_size=8))
def test_no_bytes_raise(parts: list[tuple[bytes, int]]) -> None:
    follower = begin()
    for data, how in parts:
        follower.take(data if how == 0 else record(data) if how == 1 else record(piece(HELLO, 0, 9) + data), UP)
    assert follower.held <= MAX_HELLO * 2


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(["dtls", "dtls-fragments", "anyconnect"]),
    st.integers(0, 2),
    st.integers(0, 270),
    st.integers(1, 255),
)
def test_a_recorded_datagram_with_a_byte_changed_never_raises(name: str, which: int, at: int, flip: int) -> None:
    follower = begin()
    for number, one in enumerate(said(name)[:5]):
        data = bytearray(one.data)
        if number == which:
            data[at % len(data)] ^= flip
        follower.take(bytes(data), one.direction)
