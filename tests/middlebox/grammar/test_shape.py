"""The smallest shapes: words, truths, texts, names, and values of several forms."""

from __future__ import annotations

import pytest

from middlebox.grammar.shape import NAME, TEXT, TRUTH, Forms, Mismatch, become, words
from tests.middlebox.grammar.reading import read, refusal

COLOURS = words({"red": 1, "green": 2})


def test_a_word_of_a_closed_set() -> None:
    assert read(COLOURS, "green") == 2
    assert COLOURS.text(2) == "green"
    assert COLOURS.schema() == {"enum": ["red", "green"]}
    problem = refusal(COLOURS, "gren")
    assert (problem.found, problem.expected, problem.suggestion) == ("'gren'", "red or green", "did you mean 'green'?")
    assert refusal(COLOURS, "[red]").found == "a list of 1"


@pytest.mark.parametrize(("text", "hint"), [("yes", "write: true"), ("Off", "write: false"), ("1", "")])
def test_only_true_and_false_are_truths(text: str, hint: str) -> None:
    assert read(TRUTH, "true") is True
    assert read(TRUTH, "false") is False
    assert refusal(TRUTH, text).suggestion == hint


def test_a_text_may_look_like_a_number_but_not_be_missing() -> None:
    assert read(TEXT, "1.10") == "1.10"
    assert read(TEXT, '""') == ""
    assert refusal(TEXT, "{}").expected == "a text"


def test_a_name_is_refused_with_a_better_one() -> None:
    assert read(NAME, "gfw-like") == "gfw-like"
    assert refusal(NAME, "My Censor").suggestion == "write: my-censor"
    assert refusal(NAME, "'--'").suggestion == ""


def test_a_value_that_becomes_another_is_told_where_it_cannot() -> None:
    def half(text: str) -> int:
        if int(text) % 2:
            raise Mismatch("an even one")
        return int(text) // 2

    shape = become(TEXT, half, lambda value: value * 2)
    assert read(shape, "8") == 4
    assert shape.text(4) == 8
    assert refusal(shape, "7").suggestion == "an even one"


def test_a_value_of_several_forms_is_read_by_the_form_it_has() -> None:
    shape = Forms(scalar=COLOURS, sequence=become(TEXT, len))
    assert read(shape, "red") == 1
    assert shape.schema() == {"anyOf": [{"enum": ["red", "green"]}, TEXT.schema()]}
    assert refusal(shape, "{a: 1}").expected == "red or green; or a text"
    assert shape.text(1) == "red"
