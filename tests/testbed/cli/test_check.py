"""`penstock check`: valid policies read back, faulty ones refused with status 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from testbed.cli import main

FAULTY = "name: faulty\nrules:\n  - {name: a, match: {}, action: drip}\n"
WARNED = "name: warned\nlists: {idle: [a.example]}\nrules:\n  - {name: a, match: {}, action: drop}\n"


def test_a_shipped_policy_is_valid_and_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "sni-drop"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("sni-drop is valid.\n")
    assert "Rule 1, 'sni': when the server name in a ClientHello is blocked.example or a name below it" in out
    assert err == ""


def test_a_faulty_policy_is_refused_with_all_its_problems_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("faulty.yaml").write_text(FAULTY, encoding="utf-8")
    assert main(["check", "faulty.yaml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(
        "penstock check: faulty.yaml has 1 problem\nfaulty.yaml:3:34: found 'drip'; expected an action"
    )
    assert "did you mean 'drop'?" in err


def test_a_warning_does_not_change_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("warned.yaml").write_text(WARNED, encoding="utf-8")
    assert main(["check", "warned.yaml"]) == 0
    assert capsys.readouterr().err.startswith("warning: warned.yaml:2:15: found the list 'idle', which no rule uses")


def test_json_is_a_line_for_each_sentence_warning_or_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(WARNED, encoding="utf-8")
    assert main(["check", str(path), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0]["warning"]["line"] == 2
    assert all("sentence" in row for row in rows[1:])
    path.write_text(FAULTY, encoding="utf-8")
    assert main(["check", str(path), "--json"]) == 2
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row["problem"]["suggestion"] == "did you mean 'drop'?"


def test_a_policy_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "sni-drob"]) == 2
    assert "did you mean 'sni-drop'?" in capsys.readouterr().err
