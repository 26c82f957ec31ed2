"""The scenario asks what its issue asks, and its policies mean what it says that they mean."""

from __future__ import annotations

import pytest

from middlebox.intent import intended
from middlebox.policy import Policy
from scenarios.sni_filtering import SCENARIO
from testbed.sites import DEFAULT
from testbed.workloads import WORKLOADS


def test_it_has_the_four_policies_and_ten_attempts() -> None:
    assert set(SCENARIO.policies) == {"sni-drop", "gfw-like", "tspu-like", "dns-inject"}
    assert SCENARIO.attempts >= 10
    assert SCENARIO.residual is not None


def test_its_targets_cover_trigger_bystanders_and_ways_of_asking() -> None:
    hosts = {target.host for target in SCENARIO.targets}
    assert hosts == {"blocked.example", "www.blocked.example", "notblocked.example", "innocent.example"}
    assert {target.family for target in SCENARIO.targets} == {4, 6}
    assert {target.workload for target in SCENARIO.targets} == {"web", "web-nosni", "web-chrome", "web-h3", "dns"}


def test_all_its_names_live_at_one_address() -> None:
    addresses = {site.name: site.ipv4 for site in DEFAULT}
    assert len({addresses[target.host] for target in SCENARIO.targets}) == 1


@pytest.mark.parametrize("name", SCENARIO.policies)
def test_each_policy_means_the_listed_targets_that_its_means_can_reach_and_no_other(name: str) -> None:
    policy = Policy.load(name)
    for target in SCENARIO.targets:
        workload = WORKLOADS[target.workload]
        meant = intended(
            policy,
            name=target.host if workload.says_name else None,
            protocol=workload.protocol,
            family=target.family,
            resolves=workload.says_name,
        )
        # DNS alone comes before all of them; TLS over TCP is not what HTTP/3 speaks
        reached = target.listed and (workload.protocol == "https" or name == "dns-inject")
        assert meant == ("blocked" if reached else "ok"), (name, target.name)
