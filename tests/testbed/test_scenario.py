"""Scenarios: wrong ones cannot be built, and settings are understood or refused by name."""

import dataclasses

import pytest

from testbed.scenario import Residual, change, find
from testbed.workload import Target
from tests.testbed.pretended import SCENARIO


def test_settings_change_what_they_name() -> None:
    changed = change(SCENARIO, ["limit=4.5", "parallel=2", "residual_wait=200", "topology=long"])
    assert (changed.limit_s, changed.parallel, changed.residual_wait_s, changed.topology) == (4.5, 2, 200.0, "long")
    assert SCENARIO.limit_s == 3.0


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("limit", "'--set limit': expected KEY=VALUE, such as --set limit=5"),
        ("limt=3", "no setting 'limt'; did you mean 'limit'?"),
        ("limit=long", "'--set limit=long': 'long' is not a number of seconds"),
        ("parallel=2.5", "'2.5' is not a whole number"),
        ("parallel=0", "parallel is 0; expected a number from 1 to 64"),
        ("limit=nan", "limit is nan"),
        ("slowdown=21", "slowdown is 21; expected a number from 1 to 20"),
        ("topology=nationl", "no topology 'nationl'; did you mean 'national'?"),
        ("subscriber=web2", "no host 'web2'"),
        ("subscriber=web", "'web' is no subscriber"),
    ],
)
def test_what_cannot_be_set_is_refused_with_a_hint(word: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        change(SCENARIO, [word])
    assert message in str(caught.value)


def test_a_wrong_scenario_cannot_be_built() -> None:
    twin = dataclasses.replace(SCENARIO.targets[0])
    with pytest.raises(ValueError, match="two targets have the same name"):
        dataclasses.replace(SCENARIO, targets=(twin, twin))
    with pytest.raises(ValueError, match="no target 'blokced'; did you mean 'blocked'"):
        dataclasses.replace(SCENARIO, residual=Residual(trigger="blokced", probe="innocent"))
    odd = Target(name="odd", about="", host="a.example", workload="wbe", listed=False)
    with pytest.raises(ValueError, match="no workload 'wbe'; did you mean 'web'"):
        dataclasses.replace(SCENARIO, targets=(odd,), residual=None)
    with pytest.raises(ValueError, match="attempts is 0"):
        dataclasses.replace(SCENARIO, attempts=0)


def test_a_scenario_is_found_by_either_spelling_of_its_name() -> None:
    assert find("sni-filtering") is find("sni_filtering")
    with pytest.raises(ValueError, match="no scenario 'sni-filterng'; did you mean 'sni-filtering'"):
        find("sni-filterng")


def test_a_slowed_scenario_slows_network_and_patience_alike() -> None:
    slow = change(SCENARIO, ["slowdown=20", "topology=national"])
    assert slow.patience_s == 60
    assert slow.network.delay("client", "web") == pytest.approx(20 * 0.019)


def test_a_target_needs_a_tool_that_there_is_and_a_client_that_waits_for_it() -> None:
    target = SCENARIO.targets[0]
    with pytest.raises(ValueError, match="no tool 'wiregard'; did you mean 'wireguard'"):
        dataclasses.replace(SCENARIO, targets=(dataclasses.replace(target, tool="wiregard"),), residual=None)
    long = dataclasses.replace(target, seconds=10.0)
    with pytest.raises(ValueError, match="watched for 10 s, but a client gives up after 3 s"):
        dataclasses.replace(SCENARIO, targets=(long,), residual=None)
    through = dataclasses.replace(target, tool="wireguard")
    assert dataclasses.replace(SCENARIO, targets=(through,), residual=None).tools == ("wireguard",)
