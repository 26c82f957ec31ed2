"""`penstock profiles`: all of them, one of them with its sources, as JSON lines."""

from __future__ import annotations

import json

import pytest

from middlebox.load import shipped
from testbed.cli import main


def test_all_are_listed_with_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles"]) == 0
    out = capsys.readouterr().out
    assert all(any(line.startswith(f"{name} ") for line in out.splitlines()) for name in shipped())


def test_one_is_told_with_its_sources_and_what_their_grades_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "gfw-like"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "[P] three injectors: flags, copies, to both ends, TTL, IP ID, DF: Wu et al." in out
    assert "Grades: P: primary" in out
    assert out.endswith("gfw-like.yaml")


def test_json_lines_carry_the_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == list(shipped())
    assert all(row["sources"] and row["rules"] and row["about"] for row in rows)
    assert main(["profiles", "henan", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["placement"] == "on-path"
    assert {source["grade"] for source in row["sources"]} == {"P", "S", "U"}


def test_one_that_is_not_there_is_refused_with_what_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profiles", "hennan"]) == 2
    assert "did you mean 'henan'?" in capsys.readouterr().err
