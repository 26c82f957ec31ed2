"""The values that all dissectors answer with."""

from __future__ import annotations

from middlebox.dissect.base import NOT_MINE, Field, Kind, State, found, need_more
from middlebox.dissect.http import HttpRequest

REQUEST = HttpRequest(method="GET", target="/", version="1.1", headers=(), length=18)


def test_a_field_reads_its_attribute_and_an_absent_one_is_none() -> None:
    length = Field(name="http.length", kind=Kind.NUMBER, about="bytes of the head", attribute="length")
    host = Field(name="http.host", kind=Kind.NAME, about="the host", attribute="host")
    snow = Field(name="http.snow", kind=Kind.FLAG, about="none is told", attribute="snow")
    assert (length.get(REQUEST), host.get(REQUEST), snow.get(REQUEST)) == (18, None, None)


def test_an_answer_says_how_far_it_got() -> None:
    assert NOT_MINE.state is State.NOT_MINE
    assert NOT_MINE.fact is None
    assert (need_more(9).state, need_more(9).need) == (State.NEED_MORE, 9)
    answer = found(REQUEST, 18)
    assert (answer.state, answer.fact, answer.consumed) == (State.FOUND, REQUEST, 18)
