"""The JSON Schema, judged by a validator that is not ours."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from middlebox import fields
from middlebox.load import PROFILES
from middlebox.schema import EDITOR_LINE, json_schema
from tests.middlebox.test_load import EXAMPLE, FAULTY

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
MOCK = Path(__file__).parent / "mock_censors"
#: what no validator is given: it is not YAML, has a key twice, or contains itself
UNREADABLE = {"alias-of-itself", "colon-in-value", "key-twice", "not-yaml", "star-unquoted", "tab", "tag"}


def read(text: str) -> object:
    return YAML(typ="safe", pure=True).load(text)


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert EDITOR_LINE.startswith("# yaml-language-server: $schema=")


@pytest.mark.parametrize("path", [*sorted(PROFILES.glob("*.yaml")), *sorted(MOCK.glob("*.yaml"))], ids=lambda p: p.stem)
def test_every_good_policy_is_valid(path: Path) -> None:
    VALIDATOR.validate(read(path.read_text(encoding="utf-8")))


def test_the_example_is_valid() -> None:
    VALIDATOR.validate(read(EXAMPLE))


@pytest.mark.parametrize("path", sorted(FAULTY.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_faulty_policy_is_invalid_if_its_shape_is_wrong(path: Path) -> None:
    if path.stem in UNREADABLE:
        return
    text = path.read_text(encoding="utf-8")
    assert VALIDATOR.is_valid(read(text)) is text.startswith("# a matter of meaning\n")


def test_every_field_and_every_default_is_told() -> None:
    schema = json_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    told = definitions["match"]["properties"]
    assert set(told) == {*fields.NAMES, "all", "any", "not"}
    assert all(one["description"] for one in told.values())
    properties = schema["properties"]
    assert isinstance(properties, dict)
    box = properties["box"]["properties"]
    assert box["tcp"]["properties"]["idle"]["default"] == "600 s"
    assert box["placement"]["default"] == "in-path"
    assert box["tcp"]["properties"]["end"]["default"] == ["rst", "rst-ack"]


def test_every_default_that_is_told_is_valid_where_it_stands() -> None:
    def walk(node: object) -> int:
        count = 0
        if isinstance(node, dict):
            if "default" in node:
                shape = {**node, "$defs": json_schema()["$defs"]}
                jsonschema.Draft202012Validator(shape).validate(node["default"])
                count += 1
            for value in node.values():
                count += walk(value)
        elif isinstance(node, list):
            count += sum(walk(value) for value in node)
        return count

    assert walk(json_schema()) > 60
