"""Which applications there are in virtual time."""

from __future__ import annotations

import dataclasses

import pytest

from scenarios.evasion import SCENARIO as EVASION
from scenarios.sni_filtering import SCENARIO
from scenarios.throttling import SCENARIO as THROTTLING
from testbed.result import Outcome
from testbed.tools import TOOLS
from testbed.virtual.applications import APPLICATIONS, missing
from testbed.workloads import WORKLOADS
from tests.testbed.virtual.asking import ask, do

#: bytes that an attempt moves
MOVED = {"chat-text": 2_000, "media-fetch": 200_000, "media-send": 200_000, "download": 300_000, "upload": 300_000}


def test_they_have_the_names_of_the_labs_workloads() -> None:
    assert set(APPLICATIONS) == set(WORKLOADS)


@pytest.mark.parametrize("scenario", [SCENARIO, EVASION, THROTTLING], ids=lambda one: one.name)
def test_nothing_is_missing_for_the_shipped_scenarios(scenario: object) -> None:
    assert isinstance(scenario, type(SCENARIO))
    assert missing(scenario) == ""


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "telegraph", WORKLOADS["web"])
    first = THROTTLING.targets[0]
    talk = dataclasses.replace(THROTTLING, targets=(dataclasses.replace(first, workload="telegraph"),))
    assert missing(talk).startswith("no 'telegraph' in virtual time (there are: ")
    monkeypatch.setitem(TOOLS, "tor", TOOLS["ssh"])
    tor = dataclasses.replace(THROTTLING, targets=(dataclasses.replace(first, tool="tor"),))
    assert missing(tor).startswith("no 'tor' in virtual time (of tools there are: split, ")


@pytest.mark.parametrize(("workload", "size"), MOVED.items())
def test_what_is_moved_is_as_large_as_in_a_lab(workload: str, size: int) -> None:
    asked = ask(workload, size=300_000 if size == 300_000 else 0)
    seen = do(asked, APPLICATIONS[workload](asked))
    assert (seen.outcome, seen.failure, seen.bytes) == (Outcome.OK, "", size)
