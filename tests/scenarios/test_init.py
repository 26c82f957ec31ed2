"""The list of scenarios: each one is there, and carries the name that it is listed under."""

import importlib

import pytest

from middlebox.policy import Policy
from scenarios import SCENARIOS
from testbed.scenario import find
from testbed.sites import DEFAULT


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_loads_under_its_own_name(name: str) -> None:
    scenario = find(name)
    assert scenario.name == name
    assert importlib.import_module(SCENARIOS[name]).SCENARIO is scenario
    assert scenario.question.endswith("?")


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenarios_policies_are_shipped(name: str) -> None:
    scenario = find(name)
    policies = [Policy.load(policy) for policy in scenario.policies]
    assert [policy.name for policy in policies] == list(scenario.policies)
    assert all(Policy.load(policy).name == policy for policy, _ in scenario.gets_through)
    targets = {target.name for target in scenario.targets}
    assert {target for _, target in scenario.gets_through} <= targets


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenarios_targets_are_served(name: str) -> None:
    scenario = find(name)
    served = {site.name for site in DEFAULT} | set(scenario.sites)
    assert {target.host for target in scenario.targets} <= served
