"""TLS records around a ClientHello: whole, split, foreign, mutated."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.base import Reading, Reads, State
from middlebox.dissect.hello import ClientHello
from middlebox.dissect.tls import DISSECTOR, MAX_HELLO
from tests.middlebox.dissect.recorded import HELLOS, SMALL, body, extension, in_records, record

TOGETHER = Reads(records=True)
ALONE = Reads(records=False)


def read(data: bytes, reads: Reads = TOGETHER) -> Reading:
    return DISSECTOR.read(data, "tcp", reads)


def fact(data: bytes, reads: Reads = TOGETHER) -> ClientHello:
    answer = read(data, reads)
    assert answer.state is State.FOUND
    assert isinstance(answer.fact, ClientHello)
    return answer.fact


def test_some_recorded_hello_needs_two_segments() -> None:
    assert max(len(data) for data in HELLOS.values()) > 1460


@pytest.mark.parametrize("reads", [TOGETHER, ALONE])
@pytest.mark.parametrize("name", HELLOS)
def test_every_beginning_of_a_hello_needs_more(name: str, reads: Reads) -> None:
    data = HELLOS[name]
    for have in range(len(data)):
        answer = read(data[:have], reads)
        assert answer.state is State.NEED_MORE
        assert have < answer.need <= len(data)
        if have >= 9:  # both headers are there: the need is exact
            assert answer.need == len(data)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(HELLOS)), st.data())
def test_a_hello_is_the_same_in_whatever_records_and_its_beginnings_need_more(name: str, data: st.DataObject) -> None:
    hello = HELLOS[name]
    cuts = data.draw(st.sets(st.integers(1, len(hello) - 6), min_size=1, max_size=12))
    split = in_records(hello, cuts)
    answer = read(split)
    assert answer.fact == fact(hello)
    assert answer.consumed == len(split)
    assert read(split, ALONE).state is State.NOT_MINE
    for have in data.draw(st.sets(st.integers(0, len(split) - 1), max_size=40)):
        beginning = read(split[:have])
        assert beginning.state is State.NEED_MORE
        assert have < beginning.need <= len(split)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 39, 40])
def test_records_of_a_few_bytes_are_joined_at_every_beginning(size: int) -> None:
    split = in_records(SMALL, range(size, len(SMALL) - 5, size))
    assert read(split).fact == fact(SMALL)
    for have in range(len(split)):
        answer = read(split[:have])
        assert answer.state is State.NEED_MORE
        assert have < answer.need <= len(split)


def test_asking_only_when_needed_takes_few_questions_even_for_records_of_one_byte() -> None:
    hello = HELLOS["firefox133"]
    split = in_records(hello, range(1, len(hello) - 5))
    have = asked = 0
    while (answer := read(split[:have])).state is State.NEED_MORE:
        have = answer.need
        asked += 1
    assert answer.fact == fact(hello)
    assert asked < 100


def test_what_follows_a_hello_is_left_alone() -> None:
    early = record(b"\x00" * 50, kind=23)
    assert read(SMALL + early).consumed == len(SMALL)
    split = in_records(SMALL, [30])
    assert read(split + early).consumed == len(split)
    assert read(split + early).fact == fact(SMALL)


def test_a_box_that_does_not_join_records_gives_up_when_the_lengths_say_so() -> None:
    split = in_records(SMALL, [len(SMALL) - 6])  # the last byte alone is missing from the first record
    assert read(split[:8], ALONE).state is State.NEED_MORE
    assert read(split[:9], ALONE).state is State.NOT_MINE
    assert read(in_records(SMALL, [3])[:5], ALONE).state is State.NOT_MINE


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"SSH-2.0-x\r\n", "SSH"),
        (b"\x80\x2e\x01\x03\x01", "an SSLv2 hello"),
        (b"\x14\x03\x01\x00\x01\x01" + SMALL, "ChangeCipherSpec before it"),
        (b"\x15\x03\x01\x00\x02\x01\x00" + SMALL, "an alert before it"),
        (b"\x17\x03\x03\x00\x10", "application data"),
        (b"\x16\x02", "no version of TLS"),
        (b"\x16\x03\x01\x00\x00", "an empty record"),
        (b"\x16\x03\x01\x40\x01", "a record over 2**14 bytes"),
        (b"\x16\x03\x03\x00\x50\x02", "a ServerHello"),
        (record(b"\x01\x01\x00\x00" + bytes(60)), "a message beyond the bound"),
        (record(b"\x01\x00\x00\x22" + bytes(60)), "a message too short for a hello"),
    ],
)
def test_what_is_no_hello_is_known_by_its_first_bytes(data: bytes, why: str) -> None:
    assert read(data).state is State.NOT_MINE, why


@pytest.mark.parametrize("kind", [20, 21, 23])
def test_another_record_between_two_halves_ends_it(kind: int) -> None:
    first, second = SMALL[5:100], SMALL[100:]
    assert read(record(first) + record(b"\x01", kind=kind) + record(second)).state is State.NOT_MINE
    assert read(record(first) + b"\x16\x03\x01\x00\x00" + record(second)).state is State.NOT_MINE
    assert read(record(first) + record(second)).state is State.FOUND


def test_the_bound_on_a_hello_is_kept_in_one_record_and_in_many() -> None:
    def padded(extra: int) -> bytes:
        whole = body(extension(0x1234, bytes(60_000)), extension(0x1235, bytes(extra)), ciphers=b"\x13\x01" * 1000)
        sent = b"\x01" + len(whole).to_bytes(3, "big") + whole
        return b"".join(record(sent[at : at + 16_384]) for at in range(0, len(sent), 16_384))

    room = MAX_HELLO - fact(padded(0)).length
    assert fact(padded(room)).length == MAX_HELLO
    assert read(padded(room + 1)).state is State.NOT_MINE


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(HELLOS)), st.data())
def test_no_mutation_raises_and_each_answer_holds_for_longer_bytes(name: str, data: st.DataObject) -> None:
    hello = HELLOS[name]
    if data.draw(st.booleans()):
        hello = in_records(hello, data.draw(st.sets(st.integers(1, 60), max_size=4)))
    broken = bytearray(hello)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, min(len(broken) - 1, 300)))
        broken[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
        if not broken:
            break
    sent = bytes(broken)
    for reads in (TOGETHER, ALONE):
        whole = read(sent, reads)
        for have in data.draw(st.sets(st.integers(0, len(sent)), max_size=8)):
            answer = read(sent[:have], reads)
            if answer.state is State.NEED_MORE:
                assert answer.need > have
                assert whole.state is not State.FOUND or answer.need <= whole.consumed
            else:
                assert answer == whole
        if isinstance(whole.fact, ClientHello):
            for field in DISSECTOR.fields:
                field.get(whole.fact)
            assert 0 < whole.consumed <= len(sent)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80), st.sampled_from([b"", b"\x16\x03\x01", b"\x16\x03\x01\x00\x03\x01\x00\x00"]))
def test_no_bytes_raise(data: bytes, start: bytes) -> None:
    assert read(start + data).state in State


def test_a_full_buffer_of_tiny_records_costs_little() -> None:
    flood = record(b"\x01\x00\xff\x00" + bytes(40)) + b"".join(record(b"\x00") for _ in range(5400))
    began = process_time()
    assert read(flood).state is State.NEED_MORE
    assert process_time() - began < 0.5
