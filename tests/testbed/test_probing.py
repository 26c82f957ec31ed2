"""The single attempts: they refuse to run where they could do harm, and their failures are answers."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import probing
from testbed.doctor import Features

ROOT = Path(__file__).resolve().parents[2]


def test_probing_refuses_to_run_in_the_namespaces_of_the_host() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "testbed.probing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "testbed.doctor.probe()" in done.stderr


def test_every_attempt_is_a_field_of_the_features() -> None:
    names = {field.name for field in dataclasses.fields(Features)} - {"namespaces", "user_namespaces"}
    assert set(probing.TRIES) == names


def test_a_failure_is_an_answer_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise OSError("Specified qdisc kind is unknown")

    monkeypatch.setattr(probing, "TRIES", {"netem": refuse, "veth": lambda: "fine"})
    assert probing.probe() == {"netem": (False, "Specified qdisc kind is unknown"), "veth": (True, "fine")}


def test_a_missing_program_is_an_answer_too() -> None:
    with pytest.raises(OSError, match="the program no-such-program is not installed"):
        probing._run("no-such-program --version")
