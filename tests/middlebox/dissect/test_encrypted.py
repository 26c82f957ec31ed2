"""The rule on fully encrypted traffic: its boundaries as published (V20), and a recorded Shadowsocks."""

from __future__ import annotations

import random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from middlebox.dissect.base import ENDLESS, Reads, State
from middlebox.dissect.encrypted import DISSECTOR, FirstPayload, judge
from tests.middlebox.dialogue import get, hello
from tests.middlebox.dissect.captured import DOWN, UP, facts

#: not printable, with four set bits
FOUR = 0x8B


def by_hand(data: bytes) -> bool:
    """The rule as the paper writes it, byte by byte and in fractions."""
    bits = sum(f"{byte:08b}".count("1") for byte in data)
    if bits / len(data) <= 3.4 or bits / len(data) >= 4.6:
        return False
    printable = [0x20 <= byte <= 0x7E for byte in data]
    if len(data) >= 6 and all(printable[:6]):
        return False
    if sum(printable) / len(data) > 0.5:
        return False
    run = longest = 0
    for one in printable:
        run = run + 1 if one else 0
        longest = max(longest, run)
    if longest > 20:
        return False
    if data[0] in (0x16, 0x17) and data[1:2] == b"\x03" and len(data) > 2 and data[2] <= 9:
        return False
    return not data.startswith((b"GET ", b"PUT ", b"POST ", b"HEAD "))


def weighing(hundredths: int) -> bytes:
    """A hundred bytes without a printable one, with so many set bits."""
    more, rest = divmod(hundredths, 100)
    each = {3: 0x83, 4: 0x8B}
    light, heavy = each[more], {3: 0x8B, 4: 0x9B}[more]
    return bytes([light] * (100 - rest) + [heavy] * rest)


@pytest.mark.parametrize(
    ("hundredths", "random"),
    [(330, False), (340, False), (341, True), (400, True), (459, True), (460, False), (461, False)],
)
def test_the_share_of_set_bits(hundredths: int, random: bool) -> None:
    """Ex1."""
    fact = judge(weighing(hundredths))
    assert (fact.bits, fact.random) == (hundredths, random)


@pytest.mark.parametrize(
    ("size", "ones", "random"), [(10_000, 34_000, False), (10_000, 34_001, True), (10_000, 45_999, True)]
)
def test_the_share_of_set_bits_is_compared_exactly(size: int, ones: int, random: bool) -> None:
    light, heavy = (0x83, 0x8B) if ones < 4 * size else (0x8B, 0x9B)  # 3, 4 and 5 set bits
    more = ones % size
    assert judge(bytes([light] * (size - more) + [heavy] * more)).random is random


@pytest.mark.parametrize(("prefix", "random"), [(0, True), (5, True), (6, False), (7, False)])
def test_printable_bytes_at_the_beginning(prefix: int, random: bool) -> None:
    """Ex2."""
    fact = judge(b"U" * prefix + bytes([FOUR] * 50))
    assert (fact.printable_prefix, fact.random) == (prefix, random)


@pytest.mark.parametrize(("printable", "random"), [(49, True), (50, True), (51, False)])
def test_the_share_of_printable_bytes(printable: int, random: bool) -> None:
    """Ex3."""
    data = bytearray([FOUR] * 100)
    for at in [*range(1, 100, 2), 2][:printable]:
        data[at] = 0x55
    fact = judge(bytes(data))
    assert fact.printable_share == printable
    assert fact.random is random


@pytest.mark.parametrize(("run", "random"), [(19, True), (20, True), (21, False)])
def test_the_longest_run_of_printable_bytes(run: int, random: bool) -> None:
    """Ex4."""
    fact = judge(bytes([FOUR] * 30) + b"U" * run + bytes([FOUR] * 30))
    assert (fact.printable_run, fact.random) == (run, random)


@pytest.mark.parametrize("first", [0x15, 0x16, 0x17, 0x18])
@pytest.mark.parametrize("minor", [0, 3, 9, 10])
def test_tls_is_exempt(first: int, minor: int) -> None:
    """Ex5: [\\x16-\\x17]\\x03[\\x00-\\x09]."""
    fact = judge(bytes([first, 3, minor]) + bytes([FOUR] * 60))
    assert fact.known is (first in (0x16, 0x17) and minor <= 9)
    assert fact.random is not fact.known


@pytest.mark.parametrize("method", [b"GET ", b"PUT ", b"POST ", b"HEAD ", b"GET\x8b", b"get ", b"GETX", b"DEL "])
def test_http_is_exempt(method: bytes) -> None:
    fact = judge(method + bytes([FOUR] * 60))
    assert fact.random is (method not in (b"GET ", b"PUT ", b"POST ", b"HEAD "))


def test_recorded_shadowsocks_is_random_and_other_recordings_are_not() -> None:
    seen = cast(list[FirstPayload], facts("shadowsocks"))
    assert [one.random for one in seen] == [True, True, True]
    for name in ("ssh", "openvpn-tcp"):
        assert not any(cast(FirstPayload, one).random for one in facts(name, dissector="encrypted"))
    assert not judge(hello()).random
    assert not judge(get()).random


def test_random_bytes_are_random_at_a_rate_that_grows_with_their_number() -> None:
    """What the five exemptions leave of truly random payloads; the paper's rule spares short ones."""
    chance = random.Random(1)
    share = {
        size: sum(judge(chance.randbytes(size)).random for _ in range(1_000)) / 1_000 for size in (16, 56, 200, 1_400)
    }
    assert 0.80 < share[16] < 0.95
    assert 0.95 < share[56] < 1
    assert share[200] > 0.99
    assert share[1_400] > 0.99


def test_only_the_first_payload_of_the_client_is_judged() -> None:
    following = DISSECTOR.follow("tcp", Reads())
    assert following.take(bytes([FOUR] * 50), DOWN).state is State.NOT_MINE
    first = following.take(bytes([FOUR] * 50), UP)
    assert (first.state, first.consumed) == (State.FOUND, ENDLESS)
    later = following.take(bytes([FOUR] * 50), UP)
    assert later.fact is not None
    assert all(field.get(later.fact) is None for field in DISSECTOR.fields)
    assert not DISSECTOR.claims


@settings(deadline=None, max_examples=500)
@given(
    st.binary(min_size=1, max_size=120)
    | st.builds(
        lambda a, b: a + b,
        st.sampled_from([b"\x16\x03\x01", b"GET ", b"UUUUU", b"U" * 20, b"U" * 21]),
        st.binary(max_size=60),
    )
)
def test_the_rule_is_the_papers(data: bytes) -> None:
    assert judge(data).random is by_hand(data)


def test_nothing_is_said_of_nothing() -> None:
    assert DISSECTOR.read(b"", "tcp", Reads()).state is State.NOT_MINE
