"""Questions in plain English."""

from __future__ import annotations

import pytest

from middlebox import fields
from middlebox.grammar.matching import MATCH
from middlebox.match import All, Is
from middlebox.match import Test as Leaf
from middlebox.saying.match import match_text, noun
from tests.middlebox.grammar.reading import read


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("{}", "any packet comes"),
        ("{tls.sni: {under: a.example}}", "the server name in a ClientHello is a.example or a name below it"),
        (
            "{tls.sni: {under: [a.example, b.example]}}",
            "the server name in a ClientHello is a.example or b.example, or a name below one of these",
        ),
        ("{http.target: {contains: [x, y]}}", "the target of an HTTP request contains 'x' or 'y'"),
        ("{http.header: {regex: '^X'}}", "a header of an HTTP request matches the pattern '^X'"),
        ("{server.ip: {in: [203.0.113.0/24]}}", "the server's address lies in 203.0.113.0/24"),
        ("{any.ip: '2001:db8::1'}", "one of the two addresses is 2001:db8::1"),
        ("{server.port: {in: [1-1023, 8080]}}", "the server's port is 1 to 1023 or 8080"),
        ("{tls.sni: {present: false}}", "the server name in a ClientHello is missing"),
        ("{dns.type: {present: true}}", "the type of a DNS query is there, whatever it is"),
        ("{tls.ech: true}", "a ClientHello has Encrypted Client Hello"),
        ("{tls.esni: false}", "a ClientHello is without encrypted SNI"),
        ("{ip.fragment: true}", "the packet came in IP fragments"),
        (
            "{not: {transport: udp}, server.port: 53}",
            "it is not so that the transport protocol is udp and the server's port is 53",
        ),
        (
            "{any: [{server.port: 80}, {transport: tcp, ip.version: 6}]}",
            "either the server's port is 80, or (the transport protocol is tcp and the IP version is 6)",
        ),
    ],
)
def test_a_question_in_words(question: str, text: str) -> None:
    assert match_text(read(MATCH, question)) == text


def test_of_a_long_list_some_are_named_and_the_rest_is_counted() -> None:
    names = frozenset(f"{n:06}.example" for n in range(100_000))
    text = match_text(Leaf("http.host", Is(names)))
    assert text == (
        "the host of an HTTP request is 000000.example, 000001.example, 000002.example, 000003.example "
        "or one of 99,996 more"
    )
    assert match_text(All(())) == "any packet comes"


def test_every_field_has_a_noun() -> None:
    for name in fields.NAMES:
        assert noun(name)


def test_a_match_of_an_unknown_kind_has_no_sentence() -> None:
    with pytest.raises(TypeError, match="has no sentence"):
        match_text(object())  # type: ignore[arg-type]
