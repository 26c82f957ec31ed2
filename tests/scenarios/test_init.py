"""The list of scenarios: each one is there, and carries the name that it is listed under."""

import importlib

import pytest

from middlebox.policy import Policy
from scenarios import SCENARIOS
from testbed.scenario import Scenario, find
from testbed.sites import DEFAULT
from testbed.timeline.values import Timeline


def found(name: str) -> Scenario | Timeline:
    """A scenario of either kind."""
    scenario: object = find(name)
    assert isinstance(scenario, Scenario | Timeline)
    return scenario


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_loads_under_its_own_name(name: str) -> None:
    scenario = found(name)
    assert scenario.name == name
    assert importlib.import_module(SCENARIOS[name]).SCENARIO is scenario
    assert scenario.question.endswith("?")


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenarios_policies_are_shipped(name: str) -> None:
    scenario = found(name)
    policies = [Policy.load(policy) for policy in scenario.policies]
    assert [policy.name for policy in policies] == list(scenario.policies)
    if isinstance(scenario, Timeline):
        return
    assert all(Policy.load(policy).name == policy for policy, _ in scenario.gets_through)
    targets = {target.name for target in scenario.targets}
    assert {target for _, target in scenario.gets_through} <= targets


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenarios_targets_are_served(name: str) -> None:
    scenario = found(name)
    if isinstance(scenario, Timeline):
        return  # it serves what its transfers name
    served = {site.name for site in DEFAULT} | set(scenario.sites)
    assert {target.host for target in scenario.targets} <= served
