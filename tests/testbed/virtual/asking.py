"""What an attempt in virtual time of a test is given."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from simpy.events import Event

from testbed.simulate.laboratory import SimulatedLab
from testbed.virtual.asking import Ask
from testbed.workload import Observation, Target


def ask(workload: str, policy: str | None = None, *, host: str = "blocked.example", **more: Any) -> Ask:
    """One attempt from an ADSL line."""
    lab = SimulatedLab(policy, "adsl", seed=1)
    target = Target(name="x", about="", host=host, workload=workload, listed=True, **more)
    truth = {site.name: (site.ipv4, site.ipv6) for site in lab.sites}
    return Ask(lab=lab, subscriber="client", target=target, limit_s=45.0, source="10.0.0.9", truth=truth)


def do(asked: Ask, process: Generator[Event, Any, Observation]) -> Observation:
    """Let it happen."""
    seen: Observation = asked.lab.run(process)[0]
    return seen
