"""The list of workloads."""

import pytest

from testbed.result import Outcome
from testbed.workload import Observation, Target
from testbed.workloads import WORKLOADS, register


def test_each_workload_is_known_by_its_own_name() -> None:
    assert set(WORKLOADS) == {"web", "web-nosni", "web-chrome", "dns"}
    assert all(name == workload.name for name, workload in WORKLOADS.items())


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(ValueError, match="two workloads are called 'dns'"):
        register(WORKLOADS["dns"])


def test_a_wrong_target_or_observation_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="small letters"):
        Target(name="No", about="", host="a.example", workload="web", listed=False)
    with pytest.raises(ValueError, match="family 5"):
        Target(name="no", about="", host="a.example", workload="web", listed=False, family=5)
    with pytest.raises(ValueError, match="OONI"):
        Observation(outcome=Outcome.BLOCKED, failure="rst")
