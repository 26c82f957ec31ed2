"""Which applications there are in virtual time."""

from __future__ import annotations

import dataclasses

from scenarios.sni_filtering import SCENARIO
from testbed.virtual.applications import APPLICATIONS, missing
from testbed.workloads import WORKLOADS


def test_they_have_the_names_of_the_labs_workloads() -> None:
    assert set(APPLICATIONS) <= set(WORKLOADS)


def test_what_is_missing_is_named() -> None:
    assert missing(SCENARIO) == ""
    talk = dataclasses.replace(SCENARIO.targets[0], name="talk", workload="speed-test-down")
    assert missing(dataclasses.replace(SCENARIO, targets=(*SCENARIO.targets, talk))).startswith(
        "no 'speed-test-down' in virtual time (there are: "
    )
