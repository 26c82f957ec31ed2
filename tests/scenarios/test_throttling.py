"""The scenario asks what its issue asks, and its policies mean what it says that they mean."""

from __future__ import annotations

import pytest

from middlebox.intent import intended
from middlebox.policy import Policy
from scenarios.throttling import DOWN_BYTES, INNOCENT, SCENARIO, SLOWED
from testbed.judging import held_to
from testbed.scenario import Kind
from testbed.sites import DEFAULT
from testbed.workloads import WORKLOADS

MEANT = {
    "throttle-police": "throttled",
    "throttle-shape": "throttled",
    "throttle-delay-loss": "degraded",
    "throttle-freeze": "blocked",
}


def test_a_page_a_download_and_an_upload_are_asked_for_in_three_ways() -> None:
    assert SCENARIO.kind is Kind.THROUGHPUT
    assert SCENARIO.attempts >= 5
    asked = {(target.workload, target.host, bool(target.tool)) for target in SCENARIO.targets}
    ways = [(SLOWED, False), (INNOCENT, False), (SLOWED, True)]
    assert asked == {(work, *way) for work in ("web-object", "download", "upload") for way in ways}


@pytest.mark.parametrize("name", SCENARIO.policies)
def test_each_policy_means_the_slowed_name_and_no_other(name: str) -> None:
    policy = Policy.load(name)
    for target in SCENARIO.targets:
        size = WORKLOADS[target.workload].size(target)
        meant = intended(policy, name=target.host, protocol="https", size=size)
        assert meant == (MEANT[name] if target.listed else "ok")


def test_the_policer_and_the_shaper_hold_to_the_same_rate() -> None:
    rates = {name: held_to(Policy.load(name)) for name in SCENARIO.policies}
    assert rates == {
        "throttle-police": 128e3,
        "throttle-shape": 128e3,
        "throttle-delay-loss": None,
        "throttle-freeze": None,
    }


def test_at_the_policys_rate_no_long_transfer_ends_before_it_has_been_watched() -> None:
    for target in SCENARIO.targets:
        if target.workload != "web-object":
            assert target.seconds < SCENARIO.limit_s
            assert 8 * target.size / 128e3 > target.seconds
    assert DOWN_BYTES > 1_000_000


def test_both_names_live_at_one_address() -> None:
    addresses = {site.name: site.ipv4 for site in DEFAULT}
    assert addresses[SLOWED] == addresses[INNOCENT]
