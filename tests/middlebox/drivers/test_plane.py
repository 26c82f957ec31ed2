"""The table's numbers and text: what each fate's number is, and that the kernel takes what is written."""

from __future__ import annotations

import json
import sys

import pytest

from middlebox.drivers.attach import LET_BY
from middlebox.drivers.plane import DROP_NOW, NUMBERS, Fate, NoRoomError, Plan, Policing, Wanted
from middlebox.interest import Interest
from middlebox.verdict import Direction, Disposition
from tests.middlebox.drivers.three_nodes import ThreeNodes

BOTH = frozenset(Direction)
SLOW = Policing(rate=16_000, burst=16_000, share="flow", directions=BOTH)


def test_the_bits_of_a_mark_do_not_overlap() -> None:
    assert NUMBERS & LET_BY == NUMBERS & DROP_NOW == LET_BY & DROP_NOW == 0


def test_each_fate_has_a_number_of_its_own_and_others_have_none() -> None:
    plan = Plan("t", Wanted(passed=("allow",), dropped=("gone",), policed={"slow": SLOW}))
    marks = [
        plan.mark(Disposition.PASS, ""),
        plan.mark(Disposition.PASS, "allow"),
        plan.mark(Disposition.DROP, "gone"),
        plan.mark(Disposition.POLICE, "slow"),
        plan.mark(Disposition.POLICE, "slow", forward=False),
    ]
    assert len({*marks}) == 5
    assert all(mark & NUMBERS == mark > 0 for mark in marks)
    assert plan.mark(Disposition.DROP, "allow") == plan.mark(Disposition.POLICE, "gone") == 0
    assert plan.mark(Disposition.INSPECT, "") == 0


def test_a_bucket_below_what_flows_in_a_second_is_not_left_to_the_kernel() -> None:
    small = Policing(rate=16_000, burst=15_999, share="flow", directions=BOTH)
    assert not small.exact
    assert SLOW.exact
    assert Plan("t", Wanted(policed={"slow": small})).mark(Disposition.POLICE, "slow") == 0


def test_the_next_table_has_fresh_numbers_and_keeps_the_buckets_of_rules_that_stay() -> None:
    wide = Policing(rate=16_000, burst=64_000, share="client", directions=frozenset({Direction.TO_CLIENT}))
    first = Plan("t", Wanted(policed={"slow": SLOW, "wide": SLOW}))
    first.text()
    second = Plan("t", Wanted(policed={"slow": SLOW, "wide": wide}), first.next)
    text = second.text(first)
    assert not {*first.numbers.values()} & {*second.numbers.values()}
    assert second.buckets["slow"] == first.buckets["slow"]
    assert second.buckets["wide"] != first.buckets["wide"]
    assert f"delete set inet t {first.buckets['wide']}_up" in text
    assert f"delete set inet t {first.buckets['slow']}" not in text


def test_more_rules_than_numbers_are_refused() -> None:
    with pytest.raises(NoRoomError, match="5001 fates of flows, and 4095 numbers"):
        Plan("t", Wanted(dropped=[str(number) for number in range(5_000)]))


def test_numbers_are_told_apart_by_the_first_packets_side() -> None:
    assert Fate(Disposition.POLICE, "r", True) != Fate(Disposition.POLICE, "r", False)


_LOAD = """
import json, sys
from middlebox.drivers.plane import Plan, Policing, Wanted
from middlebox.drivers.tables import counters, load, tables
from middlebox.interest import Interest
from middlebox.verdict import Direction
shares = ("flow", "client", "server", "2-tuple", "class")
ways = (frozenset(Direction), frozenset({Direction.TO_SERVER}), frozenset({Direction.TO_CLIENT}))
policed = {
    f"{share} {number}": Policing(rate=16000 + number, burst=20000, share=share, directions=way)
    for share in shares for number, way in enumerate(ways)
}
some = Interest(pure_acks=False, udp=((53, 53), (443, 500)), ipv6=False, icmp=False, other=False)
few = Interest(pure_acks=False, udp=(), icmp=False, other=False)
no_tcp = Interest(tcp=False)
first = Plan("penstock_7", Wanted(passed=("a",), dropped=("b",), policed=policed, needed=some))
load(first.text())
had = sorted(counters("penstock_7")) == sorted(first.counters)
rest = dict(list(policed.items())[3:]) | {"new": policed["flow 0"]}
second = Plan("penstock_7", Wanted(policed=rest, needed=few), first.next)
load(second.text(first))
told = [had, sorted(counters("penstock_7")) == sorted(second.counters), tables()]
third = Plan("penstock_7", Wanted(fates=False, needed=no_tcp), second.next)
load(third.text(second))
print(json.dumps([*told, sorted(counters("penstock_7")) == sorted(third.counters)]))
"""


@pytest.mark.lab
def test_the_kernel_takes_every_table_and_every_change_of_one(nodes: ThreeNodes) -> None:
    out, _ = nodes.run("box", [sys.executable, "-c", _LOAD])
    assert json.loads(out) == [True, True, ["penstock_7"], True]
    left = nodes.run("box", ["nft", "list", "ruleset"])[0]
    assert "set rate" not in left
    assert "fate" not in left
    assert "limit rate" not in left


def test_everything_is_shown_to_the_box_unless_it_is_said_that_it_need_not_be() -> None:
    def unmarked(needed: Interest) -> str:
        text = Plan("t", Wanted(needed=needed)).text()
        return text[text.index("chain unmarked") : text.index("chain before")]

    assert "accept" not in unmarked(Interest())
    assert "jump acks" in unmarked(Interest(pure_acks=False))
    assert "udp dport { 53 } accept" in unmarked(Interest(udp=((53, 53),)))
    assert "meta nfproto ipv6" in unmarked(Interest(ipv6=False))
