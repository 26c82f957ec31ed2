"""`penstock schema` prints a schema that an editor can use."""

from __future__ import annotations

import json

import jsonschema
import pytest

from testbed.cli import main


def test_it_prints_one_valid_schema_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    out, err = capsys.readouterr()
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["name", "rules"]
    assert err == ""


def test_its_help_says_how_an_editor_finds_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["schema", "--help"])
    assert "# yaml-language-server: $schema=policy.schema.json" in capsys.readouterr().out
