"""The expression: three-valued logic and each operator."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from time import process_time

import pytest

from middlebox import compiled
from middlebox.intent import Ideal
from middlebox.match import (
    All,
    AnyOf,
    Contains,
    InRanges,
    Is,
    Match,
    Not,
    Present,
    Regex,
    Under,
    Within,
)
from middlebox.match import (
    Test as Leaf,
)

YES: Match = Leaf("yes", Is(frozenset({1})))
NO: Match = Leaf("no", Is(frozenset({1})))
OPEN: Match = Leaf("ip.ttl", Is(frozenset({1})))
#: a look that knows two fields, and not yet those of the packet
LOOK = Ideal({"yes": 1, "no": 0})


@pytest.mark.parametrize(
    ("match", "answer"),
    [
        (All(()), True),
        (AnyOf(()), False),
        (All((YES, OPEN)), None),
        (All((NO, OPEN)), False),
        (AnyOf((YES, OPEN)), True),
        (AnyOf((NO, OPEN)), None),
        (Not(OPEN), None),
        (Not(NO), True),
        (Not(All((YES, Not(NO)))), False),
    ],
)
def test_what_is_not_known_yet_is_neither_yes_nor_no(match: Match, answer: bool | None) -> None:
    assert match.test(LOOK) is answer


def test_an_absent_field_answers_no_and_its_negation_yes() -> None:
    look = Ideal({"sni": None})
    leaf = Leaf("sni", Under(frozenset({"blocked.example"})))
    assert leaf.test(look) is False
    assert Not(leaf).test(look) is True
    assert Leaf("sni", Present(False)).test(look) is True
    assert Leaf("sni", Present(True)).test(look) is False


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("blocked.example", True),
        ("www.blocked.example", True),
        ("a.b.blocked.example", True),
        ("notblocked.example", False),
        ("example", False),
        ("blocked.example.org", False),
        ("", False),
    ],
)
def test_under_ends_on_a_label_boundary(name: str, holds: bool) -> None:
    assert Under(frozenset({"blocked.example"})).holds(name) is holds


@pytest.mark.skipif(compiled(), reason="compiled code looks into the set itself")
def test_under_does_not_slow_down_with_the_size_of_the_list() -> None:
    asked: list[str] = []

    class Counting(frozenset[str]):
        def __contains__(self, name: object) -> bool:
            asked.append(str(name))
            return super().__contains__(name)

    Under(Counting(f"site{index}.example" for index in range(100_000))).holds("a.b.c.example")
    assert asked == ["a.b.c.example", "b.c.example", "c.example", "example"]


def test_contains_has_no_anchors() -> None:
    assert Contains(("t.co",)).holds("reddit.com")
    assert Contains(("Cookie: a",)).holds(("Host: x", "Cookie: abc"))
    assert not Contains(("t.co",)).holds("t-co")


def test_regex_searches_in_any_element() -> None:
    operator = Regex(re.compile(r"^Host: .*\.example$"))
    assert operator.holds(("Accept: */*", "Host: a.example"))
    assert not operator.holds("xHost: a.example")


@pytest.mark.parametrize(
    ("address", "holds"),
    [
        ("192.0.2.200", True),
        ("192.0.3.1", False),
        ("203.0.113.7", True),
        ("203.0.113.8", False),
        ("2001:db8:1::5", True),
        ("2001:db8:2::5", False),
    ],
)
def test_within_knows_both_families(address: str, holds: bool) -> None:
    operator = Within(map(ip_network, ("192.0.2.0/24", "203.0.113.7/32", "2001:db8:1::/48")))
    assert operator.holds(ip_address(address).packed) is holds


def test_within_asks_once_for_each_prefix_length() -> None:
    operator = Within(ip_network((index << 8, 24)) for index in range(65_536))
    assert len(operator._v4) == 1
    assert operator.holds(ip_address("0.200.1.9").packed)


def test_a_list_value_holds_if_any_element_does() -> None:
    assert Is(frozenset({"h2"})).holds(("h2", "http/1.1"))
    assert InRanges(((10, 20),)).holds((5, 15))
    assert not InRanges(((10, 20),)).holds((5, 25))
    assert Within([ip_network("192.0.2.0/24")]).holds((bytes(4), bytes((192, 0, 2, 1))))


def test_a_hundred_thousand_needles_are_found_as_few_are_and_without_slowing_down() -> None:
    many = Contains((*(f"name-{number}.example" for number in range(100_000)), "t.co", "x"))
    began = process_time()
    for _ in range(200):
        assert not many.holds("www.innocent.site")
        assert many.holds("reddit.com")
        assert many.holds(("nothing", "a name-99999.example b"))
        assert many.holds("x")
        assert not many.holds("")
    assert process_time() - began < 1


def test_ranges_that_overlap_hold_what_each_of_them_holds() -> None:
    ranges = ((443, 443), (1, 1023), (500, 2000), (2001, 2010), (9, 3), (65_535, 65_535))
    operator = InRanges(ranges)
    for number in (0, 1, 443, 1023, 1024, 2000, 2001, 2010, 2011, 65_534, 65_535):
        assert operator.holds(number) is any(low <= number <= high for low, high in ranges), number
    assert operator == InRanges(ranges)
    assert not InRanges(()).holds(1)


def test_sixty_thousand_ranges_take_hardly_longer_than_a_few() -> None:
    def took(operator: InRanges) -> float:
        began = process_time()
        for number in range(20_000):
            operator.holds(number)
        return process_time() - began

    few = InRanges(((7, 9), (30_000, 30_001)))
    many = InRanges(tuple((number, number) for number in range(0, 120_000, 2)))
    assert many.holds(59_998)
    assert not many.holds(59_999)
    assert min(took(many) for _ in range(3)) < 5 * min(took(few) for _ in range(3))
