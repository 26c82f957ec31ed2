"""What each type of field takes, and how its values are read."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from middlebox import fields
from middlebox.dissect.base import Kind
from middlebox.grammar.matching import MATCH
from middlebox.grammar.operators import ABOUT, OPERATORS, READ
from middlebox.match import Contains, InRanges, Is, Operator, Present, Regex, Under, Within
from middlebox.match import Test as Leaf
from tests.middlebox.grammar.reading import read, refusal


def operator(text: str) -> Operator:
    leaf = read(MATCH, text)
    assert isinstance(leaf, Leaf)
    return leaf.operator


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{tls.sni: Blocked.Example}", Is(frozenset({"blocked.example"}))),
        ("{tls.sni: {under: [a.example, b.example.]}}", Under(frozenset({"a.example", "b.example"}))),
        ("{tls.sni: {under: ru.}}", Under(frozenset({"ru"}))),
        ("{tls.sni: {contains: T.CO}}", Contains(("t.co",))),
        ("{http.target: {contains: [Ab, cd]}}", Contains(("Ab", "cd"))),
        ("{server.port: 443}", Is(frozenset({443}))),
        ("{server.port: [80, 0x1bb]}", Is(frozenset({80, 443}))),
        ("{server.port: {in: [1-1023, 8080]}}", InRanges(((1, 1023), (8080, 8080)))),
        ("{server.ip: 192.0.2.1}", Is(frozenset({bytes([192, 0, 2, 1])}))),
        ("{tls.ech: true}", Is(frozenset({True}))),
        ("{tls.sni: {present: false}}", Present(False)),
        ("{tls.version: 1.3}", Is(frozenset({"1.3"}))),
        ("{dns.type: [A, TYPE65]}", Is(frozenset({"A", "TYPE65"}))),
        ("{tcp.flags: SYN}", Is(frozenset({"SYN"}))),
        ("{transport: [tcp, udp]}", Is(frozenset({"tcp", "udp"}))),
        ("{tls.extension: 0xffce}", Is(frozenset({0xFFCE}))),
    ],
)
def test_a_value_is_read_by_its_fields_type(text: str, expected: Operator) -> None:
    assert operator(text) == expected


def test_networks_and_patterns() -> None:
    within = operator("{server.ip: {in: [203.0.113.0/24, '2001:db8::/32']}}")
    assert isinstance(within, Within)
    assert within.networks == (ip_network("203.0.113.0/24"), ip_network("2001:db8::/32"))
    pattern = operator("{http.header: {regex: '(?i)^x-'}}")
    assert isinstance(pattern, Regex)
    assert pattern.holds(("X-Real: 1",))


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("{dns.type: aaaa}", "'aaaa' for 'dns.type'", "write: AAAA"),
        ("{tls.version: TLS1.3}", "'TLS1.3' for 'tls.version'", ""),
        ("{tls.ja3: abc}", "'abc' for 'tls.ja3'", ""),
        ("{ip.version: 5}", "'5' for 'ip.version'", ""),
        ("{ip.ttl: 256}", "'256' for 'ip.ttl'", ""),
        ("{tcp.flags: syn}", "'syn' for 'tcp.flags'", "did you mean 'SYN'?"),
        ("{server.port: [443, {}]}", "an empty mapping", ""),
        ("{server.port: []}", "an empty list", ""),
        ("{tls.sni: ~}", "nothing", ""),
    ],
)
def test_a_value_that_could_never_match_is_refused(text: str, found: str, hint: str) -> None:
    problem = refusal(MATCH, text)
    assert (problem.found, problem.suggestion) == (found, hint)


def test_every_type_of_field_has_operators_that_are_described_and_read() -> None:
    assert set(OPERATORS) == set(Kind)
    words = {word for every in OPERATORS.values() for word in every}
    assert words == set(ABOUT) == set(READ)
    assert {fields.kind_of(name) for name in fields.NAMES} <= set(OPERATORS)
