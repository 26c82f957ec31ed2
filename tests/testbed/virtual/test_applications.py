"""Which applications there are in virtual time."""

from __future__ import annotations

import dataclasses

from scenarios.sni_filtering import SCENARIO
from scenarios.throttling import SCENARIO as THROTTLING
from testbed.virtual.applications import APPLICATIONS, missing, without_programs
from testbed.workloads import WORKLOADS


def test_they_have_the_names_of_the_labs_workloads() -> None:
    assert set(APPLICATIONS) <= set(WORKLOADS)


def test_what_is_missing_is_named() -> None:
    assert missing(SCENARIO) == ""
    talk = dataclasses.replace(SCENARIO.targets[0], name="talk", workload="speed-test-down")
    assert missing(dataclasses.replace(SCENARIO, targets=(*SCENARIO.targets, talk))).startswith(
        "no 'speed-test-down' in virtual time (there are: "
    )


def test_targets_behind_real_programs_are_left_out_and_named() -> None:
    assert missing(THROTTLING) == "no 'wireguard' in virtual time (of tools there are: split, disorder, fake)"
    kept, left_out = without_programs(THROTTLING)
    assert left_out == ["vpn-page", "vpn-down", "vpn-up"]
    assert missing(kept) == ""
    assert without_programs(SCENARIO) == (SCENARIO, [])
    alone = dataclasses.replace(THROTTLING, targets=THROTTLING.targets[-1:])
    assert without_programs(alone) == (alone, [])  # nothing would remain: then it is refused
