"""Run a timeline: the control, then each policy, each in a lab of its own; rows, probes and manifest in one folder.

One leg after another, since what is measured is time. What the rows mean is said by `judging`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from middlebox.policy import Policy
from testbed import manifest as manifests
from testbed.fidelity import BoxWatch, asked
from testbed.lab import Lab
from testbed.result import CONTROL, Row, RowsFile, read_rows
from testbed.run_folder import Ran, Recorder, finish, new_folder, now
from testbed.slowed_by import slowed_by
from testbed.timeline.judging import checks
from testbed.timeline.leg import Leg, TimelineLab
from testbed.timeline.phasing import as_shipped, phased
from testbed.timeline.rows import MAX_ADDED_S
from testbed.timeline.series import Series
from testbed.timeline.values import Timeline
from testbed.tools import TOOLS

SERIES = "series.jsonl"  #: in each leg's folder


def total_s(timeline: Timeline, policies: Sequence[Policy]) -> float:
    """How long all legs take, without bringing their labs up."""
    return timeline.seconds * timeline.attempts * (len(policies) + 1)


def folder_for(timeline: Timeline, out: Path | None) -> Path:
    """See `testbed.run_folder.new_folder`."""
    named: Any = timeline  # it asks for nothing but the name
    return new_folder(named, out)


def folder_of(policy: str, repeat: int) -> str:
    """Where a leg's files lie."""
    return policy if repeat == 1 else f"{policy}.{repeat}"


def run(
    timeline: Timeline,
    policies: list[Policy],
    *,
    seed: int,
    folder: Path,
    command: list[str],
    workers: int = 1,
    progress: Callable[[Row], None] = lambda row: None,
    stage: Callable[[str], None] = lambda name: None,
    passed: Callable[[float], None] = lambda seconds: None,
) -> Ran:
    """Measure; raises `LabError` and `ToolError` if it cannot. What was measured until then stays in `folder`.

    `workers`: processes of each box; `stage`: what is measured now; `passed`: how many of `total_s` seconds are over.
    """
    ruled = [phase.name for phase in timeline.phases if phase.ruled]
    known = {one.name for one in policies if one.name in timeline.policies and as_shipped(one)}
    policies = [phased(policy, ruled, folder / "policies") for policy in policies]
    texts = [
        {"name": one.name, "about": one.about, "text": one.source_text, "known": one.name in known} for one in policies
    ]
    described: Any = timeline  # it asks for a dataclass with a network
    manifest = manifests.begin(described, run=folder.name, seed=seed, policies=texts, command=command)
    manifest["limits"]["added_p99_s"] = MAX_ADDED_S
    manifest["tools"] = {name: {"about": TOOLS[name].about, "means": TOOLS[name].means()} for name in timeline.tools}
    manifest["started"] = now()
    manifests.write(folder, manifest)
    behind_s = 0.0
    with RowsFile(folder) as rows:
        record = Recorder(rows, progress)
        for repeat in range(1, timeline.attempts + 1):
            for policy in (None, *policies):
                name = policy.name if policy else CONTROL
                stage(name)

                def tick(seconds: float, phase: str, name: str = name, before_s: float = behind_s) -> None:
                    stage(f"{name}, {phase}")
                    passed(before_s + seconds)

                leg = _leg(timeline, policy, repeat, manifest, folder, record, tick, workers, known=name in known)
                manifest["legs"].append(leg)
                manifests.write(folder, manifest)
                behind_s += timeline.seconds
    return finish(folder, manifest, checks(read_rows(folder), manifest))


def _leg(
    timeline: Timeline,
    policy: Policy | None,
    repeat: int,
    manifest: dict[str, Any],
    folder: Path,
    record: Callable[[Row], None],
    tick: Callable[[float, str], None],
    workers: int,
    *,
    known: bool,
) -> dict[str, Any]:
    """Measure one leg in a lab of its own; return what the manifest keeps of it."""
    where = folder_of(policy.name if policy else CONTROL, repeat)
    seed = int(manifest["seed"]) + repeat - 1
    about: dict[str, Any] = {"policy": policy.name if policy else CONTROL, "folder": where, "started": now()}
    sites = dict.fromkeys([*timeline.sites, *(one.host for one in timeline.transfers)])
    lab = Lab(policy, timeline.network, list(sites), seed, folder / where, workers=workers)
    lab.start()
    watch: BoxWatch | None = None
    series = Series(folder / where / SERIES)
    try:
        running: TimelineLab = lab
        facts = dict(lab.facts())
        manifest["facts"].update(facts)  # the control has no box to tell of
        manifest["sites"] = [[site.name, site.ipv4, site.ipv6] for site in lab.sites]
        if running.boxes:
            watch = BoxWatch(partial(asked, lab, running.boxes), MAX_ADDED_S)
            watch.__enter__()
        leg = Leg(
            run=folder.name,
            timeline=timeline,
            policy=policy,
            seed=int(manifest["seed"]),
            lab=running,
            record=record,
            series=series,
            tick=tick,
            link_means=str(facts.get("delay_means", "")),
            slowed_by=slowed_by(policy, lab.box_stats(running.boxes[0]) if running.boxes else None),
            watch=watch,
            repeat=repeat,
            known=known,
        )
        try:
            leg.measure()
        finally:
            about["phases"] = [[one.name, one.begin_s, one.end_s] for one in leg.clock.passed]
            _keep_logs(folder / where / "logs", leg)
        about["anew"] = leg.telling.anew
        about["tools"] = {name: {"address": one.address} for name, one in leg.serving.items()}
        about["load"] = watch.load() if watch else None
        about["boxes"] = {box: dict(lab.box_stats(box) or {}) for box in running.boxes}
        about["links"] = lab.link_stats()
        about["dead"] = lab.dead()
    finally:
        if watch:
            watch.__exit__(None, None, None)
        lab.stop()
        series.close()
    about["ended"] = now()
    return about


def _keep_logs(folder: Path, leg: Leg) -> None:
    """What the tools' servers have said, beside the logs of the lab."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, said in leg.logs.items():
        (folder / f"server-{name}.log").write_text(said)
