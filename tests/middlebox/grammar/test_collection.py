"""Records, lists and tables: known keys, defaults, what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from middlebox.grammar.collection import ListOf, Record, Table, key
from middlebox.grammar.shape import TEXT, TRUTH, Context, Refused
from middlebox.grammar.units import integer
from tests.middlebox.grammar.reading import read, refusal


@dataclass(frozen=True)
class Cup:
    size: int = 3
    full: bool = True
    owner: str = ""


CUP: Record[Cup] = Record(
    "a cup",
    (key("size", integer(1, 9), "how large"), key("filled", TRUTH, "how full", "full"), key("owner", TEXT, "whose")),
    Cup,
)


def test_what_is_left_out_takes_the_default_of_the_dataclass() -> None:
    assert read(CUP, "{filled: false}") == Cup(full=False)
    schema = CUP.schema()
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert properties["size"] == {
        "description": "how large",
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "default": 3,
    }
    assert properties["filled"]["default"] is True


def test_all_problems_of_a_record_are_found_at_once() -> None:
    context = Context(folder=Path("/nowhere"))
    with pytest.raises(Refused):
        read(CUP, "{size: 10, filed: true, owner: []}", context)
    assert [problem.found for problem in context.problems] == ["the key 'filed' in a cup", "'10'", "an empty list"]
    assert context.problems[0].suggestion == "did you mean 'filled'?"


def test_a_required_key_is_missed() -> None:
    record: Record[dict[str, object]] = Record("a mug", (key("handle", TEXT, "what to hold", required=True),), dict)
    assert refusal(record, "{}").found == "a mug without 'handle'"
    assert record.schema()["required"] == ["handle"]


def test_a_key_of_another_record_is_named_with_it() -> None:
    record: Record[dict[str, object]] = Record("a plate", (key("rim", TEXT, "its rim"),), dict)
    assert refusal(record, "{owner: me}").suggestion == "'owner' is a word of a cup"


def test_a_list_may_stand_without_brackets_only_where_it_is_said() -> None:
    many, alone = ListOf(TEXT, "texts"), ListOf(TEXT, "texts", alone=True)
    assert read(many, "[a, b]") == ("a", "b")
    assert read(alone, "a") == ("a",)
    assert refusal(many, "a").suggestion == "write it in brackets: [a]"
    assert refusal(many, "[]").found == "an empty list"
    assert read(ListOf(TEXT, "texts", least=0), "[]") == ()
    assert alone.schema() == {"anyOf": [TEXT.schema(), {"type": "array", "items": TEXT.schema(), "minItems": 1}]}


def test_a_table_has_names_of_the_users_own() -> None:
    table = Table("cups", CUP)
    assert read(table, "{mine: {}, yours: {size: 1}}") == {"mine": Cup(), "yours": Cup(size=1)}
    assert refusal(table, "{My Cup: {}}").suggestion == "write: my-cup"
    assert refusal(table, "[]").expected == "cups, each under a name of its own"
