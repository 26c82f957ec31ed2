"""A leg in virtual time, for tests: of the scenario's own targets, under one policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any

from simpy.events import Event

from middlebox.policy import Policy
from scenarios.sni_filtering import SCENARIO
from testbed.result import Row
from testbed.scenario import Scenario
from testbed.simulate.laboratory import SimulatedLab
from testbed.virtual.leg import VirtualLeg

QUICK = dataclasses.replace(SCENARIO, attempts=1)


def leg(rows: list[Row], policy: str | None, scenario: Scenario = QUICK) -> VirtualLeg:
    loaded = Policy.load(policy) if policy else None
    lab = SimulatedLab(loaded, scenario.network, scenario.sites, 1)
    return VirtualLeg(
        run="r",
        scenario=scenario,
        policy=loaded,
        seed=1,
        lab=lab,
        topology=lab.topology,
        record=rows.append,
        backend="simulate",
    )


def one(policy: str | None, target: str) -> Row:
    """One attempt."""
    made = leg([], policy)
    wanted = QUICK.target(target)

    def attempt() -> Generator[Event, Any, Row]:
        return (yield from made.attempt(wanted, 1, source=made.source(wanted)))

    row: Row = made.lab.run(attempt())[0]
    return row
