"""Run a scenario in virtual time: the control, then each policy, each in a simulated lab of its own.

The run folder is that of a run in a lab. Nothing in the rows, the captures and the decisions depends on the machine or
on the time of day: two runs of the same scenario, policies and seed give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from middlebox.policy import Policy
from testbed.judging import normals
from testbed.manifest import plain
from testbed.residual import steps
from testbed.result import CONTROL, Row, RowsFile
from testbed.run_folder import Ran, Recorder, begin, end, now
from testbed.scenario import Kind, Scenario
from testbed.series import Series, SeriesFile
from testbed.simulate.laboratory import SimulatedLab
from testbed.slowed_by import slowed_by
from testbed.topology import Topology
from testbed.virtual.leg import VirtualLeg
from testbed.virtual.residual import VirtualProbing

BACKEND = "simulate"
#: what a row says of how links are delayed
LINK_MEANS = "virtual time"
#: virtual seconds after which a leg that has not ended never will
_MOST_S = 30 * 86_400.0


def run(
    scenario: Scenario,
    policies: list[Policy],
    *,
    seed: int,
    folder: Path,
    command: list[str],
    progress: Callable[[Row], None] = lambda row: None,
    stage: Callable[[str], None] = lambda name: None,
) -> Ran:
    """Measure. `stage` is told each policy's name."""
    name = name_of(scenario, policies, seed)
    manifest = begin(scenario, policies, seed=seed, folder=folder, command=command, run=name, backend=BACKEND)
    with RowsFile(folder) as file:
        series = SeriesFile(folder)
        try:
            record = Recorder(file, progress, series)
            for policy in (None, *policies):
                word = policy.name if policy else CONTROL
                stage(word)
                about: dict[str, Any] = {"policy": word, "folder": word, "started": now()}
                leg = _leg(
                    scenario,
                    policy,
                    seed=seed,
                    run=name,
                    record=record,
                    keep=record.keep,
                    control=record.control,
                    out=folder / word,
                )
                manifest["facts"] |= facts(leg.lab)
                manifest["sites"] = [[site.name, site.ipv4, site.ipv6] for site in leg.lab.sites]
                manifest["legs"].append(about | _told(leg) | {"ended": now()})
        finally:
            series.close()
    manifest["waiting"] = False
    return end(folder, manifest)


def rows(
    scenario: Scenario, policies: Sequence[Policy], *, seed: int, control: Sequence[Row] | None = None
) -> list[Row]:
    """Measure, and keep nothing but the rows: no captures, no folder.

    `control`: the rows of this scenario and seed under no policy, if they are known: they are the same in each run.
    """
    name = name_of(scenario, list(policies), seed)
    known = [replace(row, run=name) for row in control or ()]
    found = list(known)
    for policy in policies if known else (None, *policies):
        usual = [row for row in found if row.policy == CONTROL]
        _leg(scenario, policy, seed=seed, run=name, record=found.append, keep=_forget, control=usual, out=None)
    return found


class Described(Protocol):
    """What a run measures: a dataclass with a name and a network, a scenario or a timeline."""

    @property
    def name(self) -> str: ...
    @property
    def network(self) -> Topology: ...


def name_of(scenario: Described, policies: list[Policy], seed: int) -> str:
    """What a run is called in its rows: by all that decides it, so that the same run has the same name anywhere."""
    from dataclasses import asdict

    described: Any = scenario
    said = [plain(asdict(described)), plain(asdict(scenario.network)), [one.source_text for one in policies], seed]
    return f"{scenario.name}-{sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]}"


def _leg(
    scenario: Scenario,
    policy: Policy | None,
    *,
    seed: int,
    run: str,
    record: Callable[[Row], None],
    keep: Callable[[Row, Series], None],
    control: Sequence[Row],
    out: Path | None,
) -> VirtualLeg:
    """Measure under one policy, or under none; `control`: what was measured without one."""
    sites = dict.fromkeys([*scenario.sites, *(target.host for target in scenario.targets)])
    with SimulatedLab(policy, scenario.network, sites, seed, out) as lab:
        leg = VirtualLeg(
            run=run,
            scenario=scenario,
            policy=policy,
            seed=seed,
            lab=lab,
            topology=lab.topology,
            record=record,
            backend=BACKEND,
            link_means=LINK_MEANS,
            slowed_by=slowed_by(policy, None),
            usual=normals(control) if scenario.kind is not Kind.ACCESS else {},
            keep=keep,
        )
        processes = [leg.measure()]
        if policy and steps(scenario):
            processes.append(VirtualProbing(leg).probe())
        lab.run(*processes, limit_s=_MOST_S)
    return leg


def _forget(row: Row, series: Series) -> None:
    """Transfers over time are for a folder's figures."""


def _told(leg: VirtualLeg) -> dict[str, Any]:
    """What the manifest keeps of a leg."""
    return {"boxes": boxes(leg.lab), "addresses_reused": leg.addresses.reused, "virtual_s": leg.lab.clock.elapsed_s}


def boxes(lab: SimulatedLab) -> dict[str, Any]:
    """What the manifest keeps of a lab's boxes."""
    return {
        name: {"alive": True, "counters": {"packets": box.packets}, "sent": box.sent}
        for name, box in lab.network.boxes.items()
    }


def facts(lab: SimulatedLab) -> dict[str, Any]:
    """What was used, and what is different from a lab."""
    host = lab.client.settings
    return {
        "delay_means": LINK_MEANS,
        "congestion_control": host.control,
        "hello": "Python's OpenSSL" + ("" if lab.entropy.fixed else ", whose bytes do not follow from the seed here"),
        "different from a lab": "hosts and boxes take no time, clients are ours, TCP is ours (LIMITS.md, Virtual time)",
    }
