"""A client's side of QUIC: real clients, scattered and damaged hellos, and datagrams of other protocols."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import pairwise
from time import process_time

import pytest
from aioquic.quic.packet import encode_quic_retry
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR

from middlebox.dissect.base import ENDLESS, Follower, Reading, Reads, State
from middlebox.dissect.hello import parse_hello
from middlebox.dissect.quic import DISSECTOR, MAX_DATAGRAMS, QuicClient
from middlebox.dissect.quic_frames import MAX_CRYPTO
from middlebox.match import UNKNOWN
from middlebox.verdict import Direction
from tests.middlebox.dissect.quic_made import (
    DCID,
    LARGE,
    MANY,
    RECORDED,
    RFC_FRAME,
    V1,
    V2,
    client,
    crypto,
    flight,
    initial,
    long_packet,
    message,
    number,
    sent,
)
from tests.middlebox.dissect.recorded import HELLOS

ABLE = Reads()
ONE_FRAME = Reads(quic_frames=False, quic_datagrams=False)
EACH_ALONE = Reads(quic_datagrams=False)


def follow(reads: Reads = ABLE) -> Follower:
    return DISSECTOR.follow("udp", reads)


def take(follower: Follower, data: bytes, direction: Direction = Direction.TO_SERVER) -> Reading:
    return follower.take(data, direction)


def fact(answer: Reading) -> QuicClient:
    assert answer.state is State.FOUND
    assert isinstance(answer.fact, QuicClient)
    return answer.fact


def read(*datagrams: bytes, reads: Reads = ABLE) -> QuicClient:
    """What is known after the last of these."""
    follower = follow(reads)
    answers = [take(follower, data) for data in datagrams]
    return fact(next(answer for answer in reversed(answers) if answer.fact is not None))


def cut(hello: bytes, places: Iterable[int]) -> list[tuple[int, bytes]]:
    """A handshake message in pieces, each with its offset."""
    return [(low, hello[low:high]) for low, high in pairwise([0, *sorted(set(places)), len(hello)])]


# -- real clients ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "word"), [(V1, "1"), (V2, "2")])
def test_a_clients_first_datagram_tells_all(version: int, word: str) -> None:
    follower = follow()
    answer = take(follower, flight(version=version)[0])
    assert answer.consumed == ENDLESS
    told = {field.name: field.get(fact(answer)) for field in DISSECTOR.fields}
    assert told.pop("quic.ja3")
    assert str(told.pop("quic.ja4")).startswith("q13d")
    assert told == {
        "quic.version": word,
        "quic.initial": True,
        "quic.dcid_length": 8,
        "quic.sni": "blocked.example",
        "quic.alpn": ("h3",),
        "quic.ech": False,
    }
    assert follower.held == 0


@pytest.mark.parametrize(
    ("browser", "start", "ech"),
    [
        ("chrome146", "q13d0311h3_55b375c5d22e_", True),
        ("firefox147", "q13d0315h3_", True),
        ("safari2601", "q13d", False),
    ],
)
def test_browsers_take_two_datagrams(browser: str, start: str, ech: bool) -> None:
    """FoxIO's fingerprint of Chrome over QUIC is q13d0310h3_55b375c5d22e_cd85d2d88918: one extension more since."""
    one, two = RECORDED[browser]
    follower = follow()
    assert fact(take(follower, one)).sni is UNKNOWN
    told = fact(take(follower, two))
    assert (told.sni, told.alpn, told.ech, told.version_word) == ("blocked.example", ("h3",), ech, "1")
    assert str(told.ja4).startswith(start)


def test_the_initial_of_the_rfc_names_example_com() -> None:
    told = read(initial(RFC_FRAME, packet=2, number_length=4, size=1200))
    assert (told.sni, told.alpn) == ("example.com", ("alpn",))


def test_a_hello_that_takes_two_datagrams_is_not_known_after_the_first() -> None:
    one, two = flight(alpn=MANY)
    follower = follow()
    first = take(follower, one)
    assert first.consumed < ENDLESS
    assert (fact(first).sni, fact(first).alpn, fact(first).ja4, fact(first).ech) == (UNKNOWN,) * 4
    assert (fact(first).version_word, fact(first).initial) == ("1", True)
    assert 0 < follower.held < 1_200
    second = take(follower, two)
    assert second.consumed == ENDLESS
    assert (fact(second).sni, fact(second).alpn) == ("blocked.example", MANY)
    assert read(two, one).alpn == MANY, "in the other order"
    assert read(one, one, two).alpn == MANY, "sent again"


def test_a_client_that_is_sent_elsewhere_by_retry_is_read_again() -> None:
    """RFC 9000, 17.2.5: the next Initial has the Retry's source connection ID, and keys that come from it."""
    connection = client(alpn=MANY)
    first = sent(connection)
    retry = encode_quic_retry(
        version=V1,
        source_cid=b"retried!",
        destination_cid=connection.host_cid,
        original_destination_cid=connection.original_destination_connection_id,
        retry_token=b"token of the server",
    )
    connection.receive_datagram(retry, ("203.0.113.5", 443), now=0.1)
    again = sent(connection, 0.1)
    assert b"token of the server" in again[0]
    follower = follow()
    assert fact(take(follower, first[0])).sni is UNKNOWN
    assert take(follower, retry, Direction.TO_CLIENT).state is State.NEED_MORE
    for data in again:
        answer = take(follower, data)
    assert fact(answer).alpn == MANY
    assert read(*again).alpn == MANY, "by a box that has not seen the first flight"


def test_a_server_that_answers_changes_the_connection_id_and_not_the_keys() -> None:
    hello = message(b"blocked.example", LARGE)
    one = initial(crypto(0, hello[:900]), size=1200)
    two = initial(crypto(900, hello[900:]), dcid=b"of the server", of=DCID, packet=1, size=1200)
    assert read(one, two).sni == "blocked.example"
    assert read(two).sni is UNKNOWN


def test_a_client_that_moves_to_version_2_keeps_its_first_connection_id_for_the_keys() -> None:
    """RFC 9368, 2.3."""
    hello = message(b"blocked.example", LARGE)
    one = initial(crypto(0, hello[:900]), size=1200)
    two = initial(crypto(900, hello[900:]), version=V2, dcid=b"of the server", of=DCID, packet=1, size=1200)
    told = read(one, two)
    assert (told.sni, told.version_word) == ("blocked.example", "2")


@pytest.mark.parametrize("name", HELLOS)
def test_every_recorded_hello_is_read_from_initials_as_it_is_from_tls(name: str) -> None:
    hello = HELLOS[name][5:]
    datagrams = [
        initial(crypto(at, hello[at : at + 1000]), packet=n, size=1200)
        for n, at in enumerate(range(0, len(hello), 1000))
    ]
    assert read(*datagrams).hello == parse_hello(hello, 4, len(hello))


# -- where the hello stands ----------------------------------------------------------------------------------------


def test_an_initial_is_found_behind_other_packets_and_among_other_frames() -> None:
    hello = message()
    ack = b"\x02" + number(0) + number(0) + number(0) + number(0)
    frames = bytes(9) + b"\x01" + ack + crypto(0, hello) + b"\x01\x01"
    early = long_packet(1, rest=number(60) + bytes(60))
    assert read(early + initial(frames, size=1000)).sni == "blocked.example"
    assert read(initial(frames) + early).sni == "blocked.example"
    assert read(initial(b"\x01") + initial(frames, packet=1)).sni == "blocked.example"
    assert read(initial(frames) + bytes(400)).sni == "blocked.example", "padding behind the packets"


def test_a_packet_for_another_connection_in_the_same_datagram_is_ignored() -> None:
    """RFC 9000, 12.2."""
    told = read(initial(b"\x01") + initial(crypto(0, message()), dcid=b"another!"))
    assert told.sni is UNKNOWN


@pytest.mark.parametrize("length", [1, 2, 3, 4])
@pytest.mark.parametrize("token", [b"", b"t" * 200])
def test_packet_numbers_of_all_lengths_and_tokens(length: int, token: bytes) -> None:
    data = initial(crypto(0, message()), number_length=length, token=token, packet=256**length - 2, scid=b"src")
    assert read(data).sni == "blocked.example"


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_hello_in_scattered_frames_over_several_datagrams(data: st.DataObject) -> None:
    hello = message(b"blocked.example", LARGE)
    pieces = cut(hello, data.draw(st.sets(st.integers(1, len(hello) - 1), min_size=2, max_size=25)))
    pieces = [
        part for offset, piece in pieces for part in ((offset, piece[:900]), (offset + 900, piece[900:])) if part[1]
    ]
    order = data.draw(st.permutations(pieces))
    datagrams: list[bytes] = []
    frames = b""
    for offset, piece in order:
        if len(frames) + len(piece) > 1100:
            datagrams.append(initial(frames, packet=len(datagrams)))
            frames = b""
        frames += data.draw(st.sampled_from([b"", b"\x01", bytes(3)])) + crypto(offset, piece)
    datagrams.append(initial(frames, packet=len(datagrams)))
    if len(datagrams) <= MAX_DATAGRAMS:
        assert read(*datagrams).hello == parse_hello(hello, 4, len(hello))
        assert read(datagrams[-1], *datagrams).hello == parse_hello(hello, 4, len(hello))


def test_of_two_copies_of_a_byte_the_first_counts() -> None:
    hello, other = message(b"blocked.example"), message(b"innocent.example"[1:])
    assert len(hello) == len(other)
    split = initial(crypto(0, hello[:60]), size=300), initial(crypto(0, other), packet=1, size=300)
    assert read(*split).sni == parse_hello(hello[:60] + other[60:], 4, len(hello)).sni  # type: ignore[union-attr]


# -- what a box is not able to do ------------------------------------------------------------------------------------


def test_a_box_that_joins_no_frames_reads_the_first_alone_whatever_its_length() -> None:
    hello = message()
    assert read(initial(crypto(0, hello), size=1200), reads=ONE_FRAME).sni == "blocked.example"
    assert read(initial(b"\x06\x00\x00" + hello, size=1200), reads=ONE_FRAME).sni == "blocked.example"
    hidden = [
        b"\x01" + crypto(0, hello),
        bytes(1) + crypto(0, hello),
        crypto(70, hello[70:]) + crypto(0, hello[:70]),
        crypto(0, hello[:70]) + crypto(70, hello[70:]),
        crypto(0, hello[:70]) + b"\x01" + crypto(70, hello[70:]),
    ]
    for frames in hidden:
        assert read(initial(frames, size=1200), reads=ONE_FRAME).sni != "blocked.example"
        assert read(initial(frames, size=1200)).sni == "blocked.example"
    assert read(initial(b"\x06\x00\x00" + hello, size=1200)).sni is UNKNOWN, "no end would read this"


def test_a_box_that_joins_no_datagrams_reads_each_for_itself() -> None:
    one, two = flight(alpn=MANY)
    follower = follow(EACH_ALONE)
    assert fact(take(follower, one)).sni is UNKNOWN
    assert fact(take(follower, two)).sni is UNKNOWN
    whole = message()
    scattered = initial(crypto(60, whole[60:]) + crypto(0, whole[:60]), size=1200)
    assert fact(take(follower, scattered)).sni == "blocked.example"


# -- what never is a hello -------------------------------------------------------------------------------------------


def test_an_initial_that_cannot_be_opened_tells_its_header_alone() -> None:
    data = bytearray(flight()[0])
    data[100] ^= 1
    follower = follow()
    told = fact(take(follower, bytes(data)))
    assert (told.version_word, told.initial, told.sni) == ("1", True, UNKNOWN)
    assert fact(take(follower, flight()[0])).sni == "blocked.example", "the next one may be opened"


@pytest.mark.parametrize(("version", "word"), [(0x1A2A3A4A, "0x1a2a3a4a"), (0xFF00001D, "0xff00001d")])
def test_of_other_versions_the_header_alone_is_told(version: int, word: str) -> None:
    follower = follow()
    told = fact(take(follower, long_packet(0, version=version, rest=bytes(1000))))
    assert (told.version_word, told.initial, told.dcid_length, told.sni) == (word, None, 8, UNKNOWN)
    assert fact(take(follower, flight()[0])).sni == "blocked.example", "after a version negotiation"


def test_junk_before_the_hello_does_not_end_the_reading_until_there_is_too_much() -> None:
    for count, seen in ((1, True), (MAX_DATAGRAMS - 1, True), (MAX_DATAGRAMS, False)):
        follower = follow()
        states = [take(follower, bytes(14)).state for _ in range(count)]
        assert set(states[: MAX_DATAGRAMS - 1]) == {State.NEED_MORE}
        assert (states[-1] is State.NOT_MINE) is not seen
        if seen:
            assert fact(take(follower, flight()[0])).sni == "blocked.example"


def test_a_hello_that_never_ends_is_given_up_and_is_then_absent() -> None:
    follower = follow()
    answers = [take(follower, initial(crypto(0, message()[:50]), packet=n, size=1200)) for n in range(MAX_DATAGRAMS)]
    assert all(fact(answer).sni is UNKNOWN for answer in answers[:-1])
    assert answers[-1].consumed == ENDLESS
    assert (fact(answers[-1]).sni, fact(answers[-1]).alpn, fact(answers[-1]).ja3) == (None, None, None)
    assert follower.held == 0


@pytest.mark.parametrize(
    "handshake",
    [
        b"\x02\x00\x00\x40" + bytes(64),
        b"\x01\x00\x00\x05hello",
        b"\x01\xff\xff\xff" + bytes(64),
        b"\x01\x00\x00\x40" + bytes(64),
    ],
)
def test_a_handshake_that_does_not_begin_with_a_hello_tells_none(handshake: bytes) -> None:
    answer = take(follow(), initial(crypto(0, handshake), size=1200))
    assert (answer.consumed, fact(answer).sni) == (ENDLESS, None)


def test_what_the_server_says_is_not_read() -> None:
    data = flight()[0]
    follower = follow()
    assert take(follower, data, Direction.TO_CLIENT).state is State.NEED_MORE
    assert fact(take(follower, data)).sni == "blocked.example"


def rtp(sequence: int, timestamp: int) -> bytes:
    return b"\x80\x60" + sequence.to_bytes(2, "big") + timestamp.to_bytes(4, "big") + bytes(range(164))


STRANGERS: dict[str, list[bytes]] = {
    "DNS": [bytes(DNS(id=n << 8, rd=1, qd=DNSQR(qname=f"host{n}.example"))) for n in range(256)],
    "DTLS": [bytes((kind, 0xFE, 0xFD)) + bytes(8) + b"\x00\xb6" + bytes(182) for kind in (20, 21, 22, 23, 25)],
    "WireGuard": [bytes((kind, 0, 0, 0)) + random.Random(kind).randbytes(144) for kind in (1, 2, 3, 4)],
    "OpenVPN": [bytes((op << 3,)) + random.Random(op).randbytes(41) for op in range(1, 11)],
    "RTP": [rtp(n, n * 160 << shift) for n in range(300) for shift in (0, 8, 16)],
    "RTP, a payload type with its marker": [b"\x90\xe0\x00\x00\x00\x01" + bytes(160)],
    "STUN": [b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(20)],
    "NTP": [b"\xe3\x00\x06\xec" + bytes(44), b"\x23" + bytes(47)],
    "QUIC, short headers": [bytes((0x40 | n,)) + random.Random(n).randbytes(1200) for n in range(64)],
    "QUIC of Google, before the standard": [
        b"\x0d" + DCID + b"Q043" + bytes(1200),
        b"\xc3Q046\x50" + DCID + bytes(1200),
    ],
    "noise": [random.Random(n).randbytes(n % 1200 + 1) for n in range(4000)],
    "nothing": [b"", b"\xc0", b"\xc0\x00\x00\x00\x01", b"\xff" * 1200],
}


@pytest.mark.parametrize("protocol", STRANGERS)
def test_datagrams_of_other_protocols_are_never_read_as_quic(protocol: str) -> None:
    for data in STRANGERS[protocol]:
        for reads in (ABLE, ONE_FRAME):
            assert DISSECTOR.read(data, "udp", reads).state is State.NEED_MORE
    follower = follow()
    answers = [take(follower, STRANGERS[protocol][0]) for _ in range(MAX_DATAGRAMS)]
    assert answers[-1].state is State.NOT_MINE


# -- bounds ------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_mutation_raises(data: st.DataObject) -> None:
    datagrams = [*flight(alpn=MANY), flight(version=V2)[0], long_packet(3, rest=b"token"), *flight()]
    followers = [follow(reads) for reads in (ABLE, ONE_FRAME, EACH_ALONE)]
    for _ in range(data.draw(st.integers(1, 5))):
        broken = bytearray(data.draw(st.sampled_from(datagrams)))
        for _ in range(data.draw(st.integers(0, 4))):
            at = data.draw(st.integers(0, min(len(broken) - 1, 60)))
            broken[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
            if not broken:
                break
        for follower in followers:
            answer = take(follower, bytes(broken), data.draw(st.sampled_from(list(Direction))))
            if answer.fact is not None:
                for field in DISSECTOR.fields:
                    field.get(answer.fact)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200))
def test_no_frames_raise(frames: bytes) -> None:
    """What an adversary writes into an Initial that opens."""
    for reads in (ABLE, ONE_FRAME, EACH_ALONE):
        follower = follow(reads)
        for n in range(2):
            take(follower, initial(frames, packet=n, size=300))
        assert follower.held <= MAX_CRYPTO


def test_memory_and_time_are_bounded_whatever_a_client_sends() -> None:
    holes = b"".join(crypto(MAX_CRYPTO - 2 * n, b"x") for n in range(1, 200))
    follower = follow()
    began = process_time()
    for n in range(MAX_DATAGRAMS - 1):
        take(follower, initial(holes, packet=n, dcid=DCID))
        assert follower.held <= MAX_CRYPTO
    many = b"".join(initial(b"\x01" * 3, dcid=b"", packet=n) for n in range(40))
    take(follower, many)
    assert follower.held == 0, "given up"
    assert process_time() - began < 1
