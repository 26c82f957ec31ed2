"""Calls in virtual time under what censors do to them; `test_call` of the workloads has the lab's."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from simpy.events import Event

from testbed.result import Outcome
from testbed.virtual.call import call
from testbed.virtual.passage import VirtualPassages
from testbed.workload import Observation
from tests.testbed.virtual.asking import ask, do
from tests.testbed.workloads.test_call import SPOILED, policy


def test_a_call_over_an_idle_line_is_good() -> None:
    asked = ask("call")
    seen = do(asked, call(asked))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
    assert seen.connect_s == pytest.approx(2 * 0.046, rel=0.02)
    assert seen.rtt_s == pytest.approx(0.046, abs=0.001)
    assert seen.goodput == pytest.approx(36_000, rel=0.01)
    assert seen.note.startswith("score 4.4, lost 0.0 % of what was heard and 0.0 % of what was said")


@pytest.mark.parametrize(("action", "outcome", "word"), SPOILED)
def test_what_censors_do_to_it_is_heard(tmp_path: Path, action: str, outcome: Outcome, word: str) -> None:
    asked = ask("call", policy(tmp_path, action))
    seen = do(asked, call(asked))
    assert seen.outcome is outcome
    assert word in seen.note
    assert (seen.failure == "generic_timeout_error") == (outcome is Outcome.BLOCKED)


@pytest.mark.parametrize(("tool", "outcome"), [("wireguard", Outcome.OK), ("ssh", Outcome.NO_RESULT)])
def test_it_goes_through_vpns_and_through_no_proxy(tool: str, outcome: Outcome) -> None:
    asked = ask("call", tool=tool)

    def attempt() -> Generator[Event, Any, Observation]:
        passages = VirtualPassages(asked.lab, "client", 10.0)
        yield from passages.open(tool)
        return (yield from call(dataclasses.replace(asked, tunnel=passages.passage.tunnel)))

    assert do(asked, attempt()).outcome is outcome


def test_names_that_are_not_resolved_and_addresses_that_lead_nowhere() -> None:
    asked = ask("call", host="nobody.example")
    assert do(asked, call(asked)).failure == "dns_nxdomain_error"
    asked = ask("call", "dns-inject")
    assert do(asked, call(asked)).failure == "network_unreachable"
