"""`penstock doctor`: lines for people, lines for programs, and a status that scripts can use."""

from __future__ import annotations

import json

import pytest

from testbed.checkup import Line
from testbed.cli import doctor, main


def _line(section: str, name: str, found: bool) -> Line:
    return Line(section=section, name=name, found=found, detail="why", follows="what follows", needed=section == "lab")


def _report(monkeypatch: pytest.MonkeyPatch, able: bool) -> None:
    lines = [_line("machine", "system", True), _line("kernel", "netem", False), _line("lab", "a lab", able)]
    monkeypatch.setattr(doctor, "report", lambda: iter(lines))


@pytest.mark.parametrize("able", [True, False])
def test_the_status_says_whether_a_lab_can_run(monkeypatch: pytest.MonkeyPatch, able: bool) -> None:
    _report(monkeypatch, able)
    assert main(["doctor"]) == (0 if able else 1)


def test_each_line_tells_what_follows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _report(monkeypatch, True)
    main(["doctor"])
    said = capsys.readouterr().out.splitlines()
    assert [line.split() for line in said if "netem" in line] == [["missing", "netem", "why", "->", "what", "follows"]]
    assert said[-1] == "a lab why: what follows"


def test_json_is_one_object_a_line_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _report(monkeypatch, True)
    main(["doctor", "--json"])
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["name"], each["found"]) for each in objects] == [("system", True), ("netem", False), ("a lab", True)]
