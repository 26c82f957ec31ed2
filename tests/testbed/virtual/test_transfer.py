"""Transfers in virtual time, with and without a policy that slows them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from simpy.events import Event

from middlebox.policy import Policy
from scenarios.throttling import SCENARIO
from testbed.pages import page
from testbed.result import Outcome, read_rows
from testbed.simulate.laboratory import SimulatedLab
from testbed.virtual.applications import APPLICATIONS
from testbed.virtual.asking import Ask
from testbed.virtual.run import run
from testbed.virtual.transfer import transfer
from testbed.workload import Observation
from testbed.workloads.transfer import Step

#: what people see of what is slowed; the policies say it too
SEEN = {
    "throttle-police": "throttled",
    "throttle-shape": "throttled",
    "throttle-delay-loss": "degraded",
    "throttle-freeze": "blocked",
}


def _ask(target: str = "slowed-page", policy: str | None = None, host: str = "", **changes: Any) -> Ask:
    wanted = dataclasses.replace(SCENARIO.target(target), **changes)
    wanted = dataclasses.replace(wanted, host=host or wanted.host)
    lab = SimulatedLab(policy, "adsl", seed=1)
    return Ask(lab=lab, subscriber="client", target=wanted, limit_s=45.0, source="10.0.0.9", truth={})


def _do(ask: Ask, process: Generator[Event, Any, Observation]) -> Observation:
    seen: Observation = ask.lab.run(process)[0]
    return seen


@pytest.mark.parametrize("target", ["slowed-page", "slowed-down", "slowed-up"])
def test_all_that_was_asked_for_comes_and_is_counted(target: str) -> None:
    ask = _ask(target)
    seen = _do(ask, APPLICATIONS[ask.target.workload](ask))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
    page_bytes = len(page(ask.target.host)) + 6 * 50_000
    assert seen.bytes == {"slowed-page": page_bytes, "slowed-down": 1_500_000, "slowed-up": 300_000}[target]
    rtt = 2 * ask.lab.topology.delay("client", "web")
    assert seen.connect_s == pytest.approx(2 * rtt, rel=0.02)
    assert seen.min_rtt_s == pytest.approx(rtt, rel=0.05)
    assert (seen.retransmitted or 0) < 0.1  # slow start fills the line's queue
    assert seen.series is not None
    assert seen.series.bytes[-1] == seen.bytes
    assert list(seen.series.bytes) == sorted(seen.series.bytes)
    assert seen.goodput is not None
    assert 0.8e6 < seen.goodput < 10.5e6  # the line has 10 and 2 Mbit/s, and goodput of a short end counts a full queue


@pytest.mark.parametrize(
    ("step", "failure"),
    [
        (Step(path="/nowhere"), "http_unexpected_status_code"),
        (Step(path="/page", sha256="0" * 64), "unknown_failure: the page is not that of the asked host"),
    ],
)
def test_what_is_not_what_was_asked_for_is_no_success(step: Step, failure: str) -> None:
    ask = _ask()
    seen = _do(ask, transfer(ask, [step]))
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, failure)


@pytest.mark.parametrize(
    ("host", "policy", "failure"),
    [
        ("nobody.example", None, "dns_nxdomain_error"),
        ("", "gfw-like", "connection_reset"),
        ("", "sni-drop", "generic_timeout_error"),
        ("", "dns-inject", "network_unreachable"),
    ],
)
def test_failures_have_oonis_names(host: str, policy: str | None, failure: str) -> None:
    ask = _ask(policy=policy, host=host)
    seen = _do(ask, APPLICATIONS["web-object"](ask))
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, failure)


def test_throttling_is_judged_as_its_policies_mean_it_and_repeats(tmp_path: Path) -> None:
    scenario = dataclasses.replace(SCENARIO, attempts=1)
    policies = [Policy.load(name) for name in SCENARIO.policies]
    ran = run(scenario, policies, seed=1, folder=tmp_path, command=["run"])
    assert ran.status == 0
    rows = read_rows(tmp_path)
    for policy, word in SEEN.items():
        here = rows[rows["policy"] == policy]
        assert set(here[here["target"].str.startswith("slowed")]["outcome"]) == {word}, policy
        assert set(here[~here["target"].str.startswith("slowed")]["outcome"]) == {"ok"}, policy
        vpn = here[here["tool"] == "wireguard"]
        assert set(vpn["exit_address"]) == {"198.51.100.201"}
        assert (vpn["time_to_tunnel_s"] < 0.2).all()
        assert set(here[here["intended"] != "ok"]["slowed_by"]) == {"engine"}
    held = rows[rows["policy"].isin(["throttle-police", "throttle-shape"]) & (rows["intended"] == "throttled")]
    assert held["goodput"].between(0.9 * 123e3, 1.1 * 123e3).all()  # 128 kbit/s of packets
    assert len((tmp_path / "series.jsonl").read_text().splitlines()) == len(rows)
    assert json.loads((tmp_path / "manifest.json").read_text())["finished"]
