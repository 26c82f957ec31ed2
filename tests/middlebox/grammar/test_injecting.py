"""The words of forged packets: in place, or under a name in the box."""

from __future__ import annotations

from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from socket import socket
from typing import cast

import pytest

from middlebox.ability import Ability, Draw
from middlebox.action import AnswerDns, AnswerHttp, Inject
from middlebox.grammar.box import BOX
from middlebox.grammar.doing import ACTIONS
from middlebox.grammar.shape import Context
from middlebox.packet import ACK, FIN, PSH, RST
from middlebox.verdict import Direction
from tests.middlebox.grammar.reading import read, refusal

BOXED = """
injectors: {one: {flags: RST}, two: {copies: 3}}
dns_injectors: {lie: {a: 192.0.2.1}, deny: {nxdomain: true}}
"""


def context() -> Context:
    ability: Ability = read(BOX, BOXED)
    return Context(folder=Path("/nowhere"), ability=ability)


def page(text: str) -> tuple[AnswerHttp, HTTPResponse]:
    """The action, and its response as Python's own client reads it."""
    (action,) = read(ACTIONS, text)
    assert isinstance(action, AnswerHttp)
    raw = action.response

    class _Socket:
        def makefile(self, mode: str) -> BytesIO:
            return BytesIO(raw)

    response = HTTPResponse(cast(socket, _Socket()))
    response.begin()
    return action, response


def test_an_injector_in_place() -> None:
    (action,) = read(ACTIONS, "{reset: {flags: RST, toward: client, copies: 5, ttl: 55-118}}")
    assert isinstance(action, Inject)
    (injector,) = action.injectors
    assert (injector.name, injector.flags, injector.copies) == ("reset", RST, 5)
    assert (injector.toward, injector.ttl) == (frozenset({Direction.TO_CLIENT}), Draw(55, 118))


def test_injectors_of_the_box_by_name_are_noted_as_used() -> None:
    known = context()
    (action,) = read(ACTIONS, "{reset: {injectors: [two, one]}}", known)
    assert isinstance(action, Inject)
    assert [injector.name for injector in action.injectors] == ["two", "one"]
    (answer,) = read(ACTIONS, "{dns: {injectors: lie}}", known)
    assert isinstance(answer, AnswerDns)
    assert answer.injectors == (known.ability.dns_injectors["lie"],)
    assert known.injectors_used == {"one", "two", "lie"}


@pytest.mark.parametrize("text", ["{reset: {injectors: [one], copies: 2}}", "{dns: {injectors: lie, copies: 2}}"])
def test_either_in_place_or_by_name(text: str) -> None:
    assert "beside other words" in refusal(ACTIONS, text, context()).found


def test_an_unknown_injector_is_refused_unless_the_box_itself_is_broken() -> None:
    problem = refusal(ACTIONS, "{reset: {injectors: [tow]}}", context())
    assert problem.suggestion == "did you mean 'two'?"
    broken = Context(folder=Path("/nowhere"), box_known=False)
    assert read(ACTIONS, "{reset: {injectors: [tow]}}", broken)


def test_a_dns_answer_in_place() -> None:
    (action,) = read(ACTIONS, "{dns: {a: [192.0.2.1, 192.0.2.2], answer_ttl: 300 s}}")
    assert isinstance(action, AnswerDns)
    (injector,) = action.injectors
    assert (injector.name, len(injector.a), injector.answer_ttl) == ("dns", 2, 300)
    assert "answers nothing" in refusal(ACTIONS, "{dns: {ttl: 5}}").found
    assert refusal(ACTIONS, "dns").found == "'dns' alone"


def test_a_block_page_is_a_response_that_a_client_reads() -> None:
    action, response = page("{http: {status: 451, body: 'nö', headers: {Server: box, X-Rule: 7}, ttl: 9}}")
    assert (response.status, response.reason) == (451, "Unavailable For Legal Reasons")
    assert response.read().decode() == "nö"
    assert (response.headers["Server"], response.headers["X-Rule"]) == ("box", "7")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert (action.injector.flags, action.injector.ttl) == (FIN | PSH | ACK, Draw(9, 9))


def test_defaults_of_pages_and_redirects() -> None:
    _, response = page("{http: {}}")
    assert (response.status, response.read()) == (403, b"")
    _, response = page("{http: {redirect: 'http://192.0.2.1/'}}")
    assert (response.status, response.headers["Location"]) == (302, "http://192.0.2.1/")
    _, response = page("{http: {redirect: 'http://192.0.2.1/', status: 307}}")
    assert response.status == 307
    assert "status 200" in refusal(ACTIONS, "{http: {redirect: 'http://192.0.2.1/', status: 200}}").found


@pytest.mark.parametrize(
    "words", [r'redirect: "a\r\nb: c"', r'headers: {a: "b\nc: d"}', "headers: {a b: c}", "headers: {a: é}"]
)
def test_no_header_can_carry_another(words: str) -> None:
    assert refusal(ACTIONS, f"{{http: {{{words}}}}}")
