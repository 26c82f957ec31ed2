"""The values that all dissectors answer with."""

from __future__ import annotations

from dataclasses import dataclass

from middlebox.dissect.base import NOT_MINE, Fact, Field, Kind, State, found, need_more


@dataclass(frozen=True, slots=True)
class Weather(Fact):
    wind: int
    rain: str | None


def test_a_field_reads_its_attribute_and_an_absent_one_is_none() -> None:
    wind = Field(name="weather.wind", kind=Kind.NUMBER, about="m/s", attribute="wind")
    rain = Field(name="weather.rain", kind=Kind.TEXT, about="words", attribute="rain")
    snow = Field(name="weather.snow", kind=Kind.FLAG, about="none is told", attribute="snow")
    fact = Weather(7, None)
    assert (wind.get(fact), rain.get(fact), snow.get(fact)) == (7, None, None)


def test_an_answer_says_how_far_it_got() -> None:
    fact = Weather(7, "some")
    assert NOT_MINE.state is State.NOT_MINE
    assert NOT_MINE.fact is None
    assert (need_more(9).state, need_more(9).need) == (State.NEED_MORE, 9)
    assert (found(fact, 5).state, found(fact, 5).fact, found(fact, 5).consumed) == (State.FOUND, fact, 5)
