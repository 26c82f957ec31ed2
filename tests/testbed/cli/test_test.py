"""`penstock test`: it runs every check, goes on after a failure, and hands its arguments to pytest untouched."""

from __future__ import annotations

import argparse
import subprocess

import pytest

from testbed.cli import main
from testbed.cli import test as verb


def _with_checks(monkeypatch: pytest.MonkeyPatch, *statuses: int) -> None:
    checks = {f"check {number}": ["-c", f"raise SystemExit({status})"] for number, status in enumerate(statuses)}
    monkeypatch.setattr(verb, "CHECKS", checks)


def test_everything_passing_is_status_0(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    _with_checks(monkeypatch, 0, 0)
    assert main(["test", "--version"]) == 0  # of pytest, which then runs nothing
    said = capfd.readouterr()
    assert said.out.splitlines()[:3] == ["== check 0", "== check 1", "== pytest"]
    assert "pytest " in said.out + said.err


def test_a_failed_check_fails_the_run_but_not_the_later_ones(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _with_checks(monkeypatch, 1, 0)
    assert main(["test", "--version"]) == 1
    said = capfd.readouterr()
    assert "== pytest" in said.out
    assert said.err.splitlines()[-1] == "penstock test: failed: check 0"


def test_options_go_to_pytest_as_they_are() -> None:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    words = ["-x", "-k", "residual and not lab", "--maxfail=2", "tests/middlebox"]
    assert parser.parse_args(words).arguments == words


def test_its_own_help_is_not_that_of_pytest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--help"]) == 0
    assert "PYTEST ARGUMENT" in capsys.readouterr().out


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(verb, "find_spec", lambda name: None if name == "importlinter" else object())
    assert main(["test"]) == 2
    assert "not installed: importlinter; start it as ./penstock test" in capsys.readouterr().err


def test_a_checkout_of_somebody_else_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "_writable", lambda: False)
    assert verb._environment("/scratch")["MYPY_CACHE_DIR"] == "/scratch/mypy_cache_dir"
    monkeypatch.setattr(verb, "_writable", lambda: True)
    assert "MYPY_CACHE_DIR" not in verb._environment("/scratch")


def test_the_compiled_engine_is_built_and_tested_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    statuses = iter((0, 0, 1, 3))

    def run(words: list[object], env: dict[str, str], **rest: object) -> subprocess.CompletedProcess[bytes]:
        assert "CI" not in env  # the one test that is of the source alone may be skipped
        assert "PENSTOCK_PLAIN" not in env
        asked.append(" ".join(map(str, words[-2:])))
        return subprocess.CompletedProcess([], next(statuses))

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PENSTOCK_PLAIN", "1")
    assert main(["test", "compiled"]) == 1
    assert asked == ["--dev --fast", "not lab tests/middlebox", "-m experiments.benchmarks.same_decisions"]
    assert main(["test", "compiled"]) == 3  # it could not be compiled: nothing was tested
    assert len(asked) == 4


def test_the_tests_run_on_the_source() -> None:
    assert verb._environment("/scratch")["PENSTOCK_PLAIN"] == "1"
