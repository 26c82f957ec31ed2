"""DNS queries: recorded from dig, built by scapy, and written down from RFC 1035."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR, DNSRROPT

from middlebox.dissect.base import Reading, Reads, State
from middlebox.dissect.dns import DISSECTOR, MAX_ADDITIONAL, MAX_QUERY, MAX_QUESTIONS, TYPES, DnsQuery

# sent by dig 9.18
DIG = {
    "aaaa": "0fb80120000100000000000107426c6f636b6564074578616d706c6500001c000100002904d000000000000c000a0008ff9535889e"
    "68576e",
    "https": "c4db0120000100000000000007626c6f636b6564076578616d706c650000410001",
    "root": "7bff01200001000000000001000002000100002904d0000000000000",
    "ixfr": "90540000000100000001000107626c6f636b6564076578616d706c650000fb0001c00c000600010000000000160000000000070000"
    "000000000000000000000000000000002904d000000000000c000a00081108e165e4b90863",
    "padded": "41740120000100000000000107626c6f636b6564076578616d706c65000001000100002904d0000000000054000a000808bbe94e"
    "39065fef000c0044" + "00" * 68,
}
MESSAGES = {name: bytes.fromhex(text) for name, text in DIG.items()}
TCP = bytes.fromhex(
    "003837710120000100000000000107626c6f636b6564076578616d706c65000001000100002904d000000000000c000a0008cf9251b3ce3cf2"
    "76"
)


def read(data: bytes, transport: str = "udp") -> Reading:
    return DISSECTOR.read(data, transport, Reads())


def fact(data: bytes, transport: str = "udp") -> DnsQuery:
    answer = read(data, transport)
    assert answer.state is State.FOUND
    assert isinstance(answer.fact, DnsQuery)
    return answer.fact


def over_tcp(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def query(*names: bytes, flags: int = 0x0100, counts: tuple[int, int, int] = (0, 0, 0), rest: bytes = b"") -> bytes:
    """A query with these names on the wire, all of type A and class IN (RFC 1035, 4.1)."""
    head = [0x1234, flags, len(names), *counts]
    return b"".join(one.to_bytes(2, "big") for one in head) + b"".join(n + b"\0\1\0\1" for n in names) + rest


def name(*labels: bytes) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


BLOCKED = name(b"blocked", b"example")
OPT = b"\0" + b"\0\x29\x10\x00\0\0\0\0\0\0"


@pytest.mark.parametrize(
    ("recorded", "asked", "word", "number"),
    [
        ("aaaa", "blocked.example", "AAAA", 0x0FB8),
        ("https", "blocked.example", "HTTPS", 0xC4DB),
        ("root", ".", "NS", 0x7BFF),
        ("ixfr", "blocked.example", "IXFR", 0x9054),
        ("padded", "blocked.example", "A", 0x4174),
    ],
)
def test_a_query_of_dig_is_read(recorded: str, asked: str, word: str, number: int) -> None:
    message = MESSAGES[recorded]
    found = fact(message)
    assert (found.name, found.type_word, found.id, found.questions) == (asked, word, number, 1)
    assert found.message == message
    assert found.recursion_desired == (recorded != "ixfr")
    assert read(message).consumed == len(message)


def test_every_field_of_a_recorded_query() -> None:
    found = fact(MESSAGES["aaaa"])
    assert {field.name: field.get(found) for field in DISSECTOR.fields} == {
        "dns.name": "blocked.example",
        "dns.type": "AAAA",
        "dns.questions": 1,
    }


def test_over_tcp_the_length_goes_before_it_and_is_not_part_of_the_message() -> None:
    answer = read(TCP, "tcp")
    assert answer.consumed == len(TCP)
    assert cast(DnsQuery, answer.fact).message == TCP[2:]
    assert cast(DnsQuery, answer.fact).name == "blocked.example"


def test_queries_over_tcp_follow_each_other() -> None:
    data = TCP + over_tcp(MESSAGES["https"]) + over_tcp(MESSAGES["root"])
    words = []
    while data:
        answer = read(data, "tcp")
        words.append(cast(DnsQuery, answer.fact).type_word)
        data = data[answer.consumed :]
    assert words == ["A", "HTTPS", "NS"]


@pytest.mark.parametrize("recorded", MESSAGES)
def test_every_beginning_needs_more_over_tcp_and_is_foreign_over_udp(recorded: str) -> None:
    message = MESSAGES[recorded]
    for have in range(len(message)):
        assert read(message[:have]).state is State.NOT_MINE
    data = over_tcp(message)
    for have in range(len(data)):
        answer = read(data[:have], "tcp")
        assert answer.state is State.NEED_MORE
        assert have < answer.need <= len(data)
        assert answer.need == len(data) or have < 6


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True), min_size=1, max_size=5),
    st.sampled_from(sorted(TYPES)),
    st.integers(0, 65_535),
    st.booleans(),
    st.booleans(),
)
def test_a_query_that_scapy_builds_is_read(labels: list[str], qtype: int, number: int, rd: bool, edns: bool) -> None:
    asked = ".".join(labels)
    built = DNS(id=number, rd=int(rd), qd=DNSQR(qname=asked, qtype=qtype), ar=[DNSRROPT()] if edns else [])
    found = fact(bytes(built))
    assert (found.name, found.qtype, found.qclass) == (asked.lower(), qtype, 1)
    assert (found.id, found.recursion_desired) == (number, rd)
    assert fact(over_tcp(bytes(built)), "tcp") == found


def test_an_answer_that_scapy_builds_is_no_query() -> None:
    asked = DNSQR(qname="blocked.example")
    answer = DNS(qr=1, qd=asked, an=DNSRR(rrname="blocked.example", rdata="192.0.2.1"))
    assert read(bytes(answer)).state is State.NOT_MINE
    assert read(bytes(DNS(qr=0, qd=asked, an=DNSRR(rrname="x", rdata="192.0.2.1")))).state is State.NOT_MINE


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (name(b"BlOcKeD", b"eXaMpLe"), "blocked.example"),
        (name(b"_dns", b"x-y", b"example"), "_dns.x-y.example"),
        (name(b"-"), "-"),
        (name(b"a.b", b"example"), "a\\.b.example"),
        (name(b"a\\b"), "a\\\\b"),
        (name(b"a b\x00\xff\x7f"), "a\\032b\\000\\255\\127"),
        (name("bücher".encode()), "b\\195\\188cher"),
        (name(b"*", b"Example"), "*.example"),
        (b"\0", "."),
        (
            name(b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61),
            ".".join(c * n for c, n in zip("abcd", (63, 63, 63, 61), strict=True)),
        ),
    ],
)
def test_names_are_lower_case_and_odd_bytes_are_escaped(wire: bytes, text: str) -> None:
    assert fact(query(wire)).name == text


def test_a_type_without_a_word_is_a_number() -> None:
    assert fact(query(BLOCKED)[:-4] + b"\xff\x00\0\1").type_word == "TYPE65280"


def test_the_first_of_several_questions_is_told_and_a_later_one_may_point_at_it() -> None:
    both = fact(query(BLOCKED, name(b"other")))
    assert (both.name, both.questions) == ("blocked.example", 2)
    assert fact(query(BLOCKED, b"\xc0\x0c")).questions == 2
    assert fact(query(BLOCKED, b"\x03www\xc0\x0c")).questions == 2
    assert fact(query(*[BLOCKED] * MAX_QUESTIONS)).questions == MAX_QUESTIONS


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "nothing"),
        (query(BLOCKED)[:-1], "cut short"),
        (query(BLOCKED) + b"\0", "a byte too many"),
        (query(), "no question"),
        (query(*[b"\0"] * (MAX_QUESTIONS + 1)), "too many questions"),
        (query(BLOCKED, flags=0x8100), "a response"),
        (query(BLOCKED, flags=0x2900), "UPDATE"),
        (query(BLOCKED, flags=0x0140), "the reserved bit"),
        (query(BLOCKED, flags=0x0103), "a response code"),
        (query(BLOCKED, counts=(1, 0, 0), rest=OPT), "an answer"),
        (query(BLOCKED, counts=(0, 2, 0), rest=OPT * 2), "two authority records"),
        (query(BLOCKED, counts=(0, 0, MAX_ADDITIONAL + 1), rest=OPT * (MAX_ADDITIONAL + 1)), "too many records"),
        (query(BLOCKED, counts=(0, 0, 1)), "a record that is not there"),
        (query(BLOCKED, counts=(0, 0, 1), rest=OPT[:-1]), "half a record"),
        (query(BLOCKED, counts=(0, 0, 1), rest=OPT[:-1] + b"\1"), "a record longer than the message"),
        (query(BLOCKED, rest=OPT), "a record that is not counted"),
        (query(BLOCKED)[:-2] + b"\0\2", "no class"),
        (query(b"\x40" + b"a" * 64 + b"\0"), "a label over 63 bytes"),
        (query(b"\x80a\0"), "a label type that does not exist"),
        (query(name(b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 62)), "a name over 255 bytes"),
        (query(b"\xc0\x0c"), "a pointer at itself"),
        (query(b"\x01a\xc0\x0c"), "a pointer at its own name"),
        (query(b"\xc0\x02"), "a pointer into the header"),
        (query(b"\xc0\x12", BLOCKED), "a pointer forward"),
        (query(BLOCKED, b"\xff\xff"), "a pointer out of the message"),
        (query(BLOCKED, b"\xc0")[:-4], "half a pointer"),
    ],
)
def test_what_is_no_whole_query_is_foreign(message: bytes, why: str) -> None:
    assert read(message).state is State.NOT_MINE, why
    if len(message) >= 17:
        assert read(over_tcp(message), "tcp").state is State.NOT_MINE, why


def test_pointers_that_make_a_name_too_long_end_the_walk() -> None:
    parts = [name(b"a" * 60, b"b" * 60, b"c" * 60)]
    at = 12
    for _ in range(3):
        parts.append(b"\x3c" + b"d" * 60 + bytes((0xC0 | at >> 8, at & 0xFF)))
        at += len(parts[-2]) + 4
    assert fact(query(*parts[:2])).questions == 2
    assert read(query(*parts)).state is State.NOT_MINE


@pytest.mark.parametrize(
    "start", [b"G", b"POST", b"SSH-", b"\x16\x03", b"\x00\x00", b"\x00\x10", b"\x10\x01", b"\x00\x20\x12\x34\x80\x00"]
)
def test_other_protocols_over_tcp_are_known_by_their_first_bytes(start: bytes) -> None:
    assert read(start, "tcp").state is State.NOT_MINE


def test_a_query_beyond_the_bound_is_foreign() -> None:
    def padded(size: int) -> bytes:
        room = size - len(query(BLOCKED)) - len(OPT)
        return query(BLOCKED, counts=(0, 0, 1), rest=OPT[:-2] + room.to_bytes(2, "big") + bytes(room))

    assert fact(padded(MAX_QUERY)).name == "blocked.example"
    assert fact(over_tcp(padded(MAX_QUERY)), "tcp").name == "blocked.example"
    assert read(padded(MAX_QUERY + 1)).state is State.NOT_MINE
    assert read(over_tcp(padded(MAX_QUERY + 1)), "tcp").state is State.NOT_MINE


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_no_mutation_raises_and_each_answer_holds_for_longer_bytes(recorded: str, data: st.DataObject) -> None:
    broken = bytearray(MESSAGES[recorded])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(broken)))
        broken[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    answer = read(bytes(broken))
    assert answer.state is not State.NEED_MORE
    assert answer.state is State.NOT_MINE or answer.consumed == len(broken)
    sent = over_tcp(bytes(broken))
    whole = read(sent, "tcp")
    assert whole.state is answer.state
    assert whole.fact == answer.fact
    for have in range(len(sent)):
        beginning = read(sent[:have], "tcp")
        if beginning.state is State.NEED_MORE:
            assert have < beginning.need <= len(sent)
        else:
            assert beginning == whole


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=64))
def test_random_datagrams_are_not_taken_for_queries(data: bytes) -> None:
    if read(data).state is State.FOUND:  # then scapy must see a query as well
        oracle = DNS(data)
        assert oracle.qr == oracle.opcode == 0
        assert oracle.qdcount >= 1
