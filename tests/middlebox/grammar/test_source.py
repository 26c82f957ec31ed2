"""YAML as nodes with places; what YAML 1.2 takes for a number or a truth, and what is refused."""

from __future__ import annotations

import pytest

from middlebox.grammar.problem import LoadError
from middlebox.grammar.source import Form, Mapping, Scalar, Sequence, parse


def scalar(text: str) -> Scalar:
    node = parse(f"key: {text}\n", "x.yaml")
    assert isinstance(node, Mapping)
    value = node.get("key")
    assert isinstance(value, Scalar)
    return value


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("yes", Form.TEXT),  # YAML 1.1 had it for true
        ("no", Form.TEXT),
        ("true", Form.TRUTH),
        ("12:30", Form.TEXT),  # YAML 1.1 had it for 750
        ("2024-08-15", Form.TEXT),
        ("0x8180", Form.INTEGER),
        ("12", Form.INTEGER),
        ("1.3", Form.DECIMAL),
        ("~", Form.NOTHING),
        ('"true"', Form.TEXT),
        ("!!str 12", Form.TEXT),
        ("120 s", Form.TEXT),
    ],
)
def test_words_are_taken_as_yaml_1_2_takes_them(text: str, form: Form) -> None:
    assert scalar(text).form is form


def test_places_count_from_one() -> None:
    node = parse("a: 1\nb:\n  - {c: x}\n", "x.yaml")
    assert isinstance(node, Mapping)
    items = node.get("b")
    assert isinstance(items, Sequence)
    inner = items.items[0]
    assert isinstance(inner, Mapping)
    assert str(inner.pairs[0][1].place) == "x.yaml:3:9"
    assert node.get("d") is None


def test_an_anchor_stands_for_its_value() -> None:
    node = parse("a: &one {x: 1}\nb: *one\n", "x.yaml")
    assert isinstance(node, Mapping)
    assert node.get("a") == node.get("b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", "x.yaml:2:1: found the key 'a' for the second time; expected each key once"),
        ("a: &a [*a]\n", "an alias"),
        ("a: !mine 1\n", "found the tag '!mine'"),
        ("[a, b]: 1\n", "as a key"),
        ("a: 1\n---\nb: 2\n", "x.yaml"),
        ("# nothing\n", "found an empty file"),
        ("a: [1\n", "is not YAML"),
        ("\x00", "not YAML"),
    ],
)
def test_what_is_no_plain_document_is_refused(text: str, said: str) -> None:
    with pytest.raises(LoadError) as caught:
        parse(text, "x.yaml")
    assert said in str(caught.value)


def test_aliases_that_multiply_are_refused_before_they_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(LoadError, match="more than 250,000 values"):
        parse("\n".join(lines), "x.yaml")


def test_nodes_tell_what_they_are_for_messages() -> None:
    assert str(scalar("~")) == "nothing"
    assert str(scalar("x" * 100)) == f"'{'x' * 57}...'"
    assert str(parse("[]", "x.yaml")) == "an empty list"
    assert str(parse("[1, 2]", "x.yaml")) == "a list of 2"
    assert str(parse("{}", "x.yaml")) == "an empty mapping"
    assert str(parse("{a: 1, b: 2}", "x.yaml")) == "a mapping with keys 'a', 'b'"


def test_brackets_without_end_are_a_problem_of_the_file_and_not_of_the_reader() -> None:
    with pytest.raises(LoadError, match="values nested without end"):
        parse("rules: " + "[" * 5_000, "p.yaml")
