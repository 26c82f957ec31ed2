"""How questions are put together."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.grammar.entries import LIST
from middlebox.grammar.matching import MATCH
from middlebox.grammar.shape import Context
from middlebox.match import All, AnyOf, Is, Not, Under, Within
from middlebox.match import Test as Leaf
from tests.middlebox.grammar.reading import read, refusal


def context(**lists: str) -> Context:
    known = Context(folder=Path("/nowhere"))
    for name, text in lists.items():
        known.lists[name] = read(LIST, text, known)
        known.lists[name].name = name
    return known


def leaf(field: str, *values: object) -> Leaf:
    return Leaf(field, Is(frozenset(values)))


def test_several_keys_must_all_hold_and_none_is_every_packet() -> None:
    assert read(MATCH, "{}") == All(())
    assert read(MATCH, "{server.port: 443, transport: tcp}") == All(
        (leaf("server.port", 443), leaf("transport", "tcp"))
    )


def test_joints_nest() -> None:
    text = "{any: [{server.port: 443}, {not: {all: [{server.port: 80}, {transport: udp}]}}]}"
    inner = Not(All((leaf("server.port", 80), leaf("transport", "udp"))))
    assert read(MATCH, text) == AnyOf((leaf("server.port", 443), inner))


def test_several_operators_of_a_field_must_all_hold() -> None:
    match = read(MATCH, "{tls.sni: {contains: x, present: true}}")
    assert isinstance(match, All)
    assert [part.field for part in match.parts if isinstance(part, Leaf)] == ["tls.sni", "tls.sni"]


def test_the_name_of_a_list_is_the_list() -> None:
    known = context(banned="[a.example, B.example]", nets="[203.0.113.0/24]", ports="['80', '443']")
    assert read(MATCH, "{tls.sni: {under: [banned, c.example]}}", known) == Leaf(
        "tls.sni", Under(frozenset({"a.example", "b.example", "c.example"}))
    )
    within = read(MATCH, "{server.ip: {in: nets}}", known)
    assert isinstance(within, Leaf)
    assert isinstance(within.operator, Within)
    assert read(MATCH, "{server.port: ports}", known) == leaf("server.port", 80, 443)
    assert all(entries.used for entries in known.lists.values())


def test_a_list_of_networks_is_no_list_of_addresses() -> None:
    problem = refusal(MATCH, "{server.ip: nets}", context(nets="[203.0.113.0/24]"))
    assert problem.suggestion == "write: server.ip: {in: nets}"
    match = read(MATCH, "{server.ip: one}", context(one="[203.0.113.5]"))
    assert match == leaf("server.ip", bytes([203, 0, 113, 5]))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("{port: 443}", "did you mean 'any.port', 'client.port', 'dst.port' or 'server.port'?"),
        ("{tls.snl: a.example}", "did you mean 'tls.sni'?"),
        ("{nor: {}}", "did you mean 'not'?"),
    ],
)
def test_a_field_that_is_none_is_refused_with_what_is_near(text: str, hint: str) -> None:
    assert refusal(MATCH, text).suggestion == hint


def test_an_operator_is_asked_for() -> None:
    assert (
        refusal(MATCH, "{tls.sni: {}}").expected == "an operator for 'tls.sni': is, under, contains, regex or present"
    )
    assert refusal(MATCH, "{all: []}").expected == "a list of questions under 'all'"
