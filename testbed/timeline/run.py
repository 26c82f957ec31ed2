"""Run a timeline: the control, then each policy, each in a lab of its own; rows, probes and manifest in one folder.

One leg after another, since what is measured is time. What the rows mean is said by `judging`. A leg is measured in a
lab, or by what `Backend` says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from middlebox.policy import Policy
from testbed import manifest as manifests
from testbed.fidelity import BoxWatch
from testbed.fidelity import asked as stats_of
from testbed.lab import Lab
from testbed.result import CONTROL, Row, RowsFile, read_rows
from testbed.run_folder import Ran, Recorder, finish, given_as, new_folder, now
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one leg is to measure, and where its results go."""

    run: str  #: the run's name in its rows
    timeline: Timeline
    policy: Policy | None
    seed: int
    repeat: int  #: which time it is that this policy is gone through
    known: bool  #: the scenario says what this policy means
    folder: Path  #: of the run
    manifest: dict[str, Any]
    record: Callable[[Row], None]
    tick: Callable[[float, str], None]
    workers: int

    @property
    def name(self) -> str:
        """The policy's, or that of the control."""
        return self.policy.name if self.policy else CONTROL

    @property
    def where(self) -> str:
        """The leg's own folder, in that of the run."""
        return folder_of(self.name, self.repeat)

    @property
    def lab_seed(self) -> int:
        return self.seed + self.repeat - 1

    @property
    def sites(self) -> list[str]:
        """The names that are served."""
        timeline = self.timeline
        return list(dict.fromkeys([*timeline.sites, *(one.host for one in timeline.transfers)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What measures a leg: in a lab here, in virtual time elsewhere (`testbed.virtual.timeline`)."""

    name: str
    leg: Callable[[Asked], dict[str, Any]]  #: measures, and gives back what the manifest keeps of it
    #: tool -> which variant of it there is, for the manifest
    means: Callable[[str], str]
    #: what the run is called in its rows; by itself as its folder
    called: Callable[[Timeline, list[Policy], int], str] | None = None


def run(
    timeline: Timeline,
    policies: list[Policy],
    *,
    seed: int,
    folder: Path,
    command: list[str],
    backend: Backend | None = None,
    workers: int = 1,
    progress: Callable[[Row], None] = lambda row: None,
    stage: Callable[[str], None] = lambda name: None,
    passed: Callable[[float], None] = lambda seconds: None,
) -> Ran:
    """Measure; raises `LabError` and `ToolError` if it cannot. What was measured until then stays in `folder`.

    `backend`: by itself a lab; `workers`: processes of each box; `stage`: what is measured now; `passed`: how many of
    `total_s` seconds are over.
    """
    backend = backend or EMULATED
    name = backend.called(timeline, policies, seed) if backend.called else folder.name
    ruled = [phase.name for phase in timeline.phases if phase.ruled]
    known = {one.name for one in policies if one.name in timeline.policies and as_shipped(one)}
    given = [given_as(one) for one in policies]
    policies = [phased(policy, ruled, folder / "policies") for policy in policies]
    texts = [
        {"name": one.name, "about": one.about, "text": one.source_text, "known": one.name in known, "given": path}
        for one, path in zip(policies, given, strict=True)
    ]
    described: Any = timeline  # it asks for a dataclass with a network
    manifest = manifests.begin(described, run=name, seed=seed, policies=texts, command=command, backend=backend.name)
    manifest["limits"]["added_p99_s"] = MAX_ADDED_S
    manifest["tools"] = {one: {"about": TOOLS[one].about, "means": backend.means(one)} for one in timeline.tools}
    manifest["started"] = now()
    manifests.write(folder, manifest)
    behind_s = 0.0
    with RowsFile(folder) as rows:
        record = Recorder(rows, progress)
        for repeat in range(1, timeline.attempts + 1):
            for policy in (None, *policies):
                word = policy.name if policy else CONTROL
                stage(word)

                def tick(seconds: float, phase: str, word: str = word, before_s: float = behind_s) -> None:
                    stage(f"{word}, {phase}")
                    passed(before_s + seconds)

                asked = Asked(
                    run=name,
                    timeline=timeline,
                    policy=policy,
                    seed=seed,
                    repeat=repeat,
                    known=word in known,
                    folder=folder,
                    manifest=manifest,
                    record=record,
                    tick=tick,
                    workers=workers,
                )
                about = {"policy": word, "folder": asked.where, "started": now()}
                manifest["legs"].append(about | backend.leg(asked) | {"ended": now()})
                manifests.write(folder, manifest)
                behind_s += timeline.seconds
    return finish(folder, manifest, checks(read_rows(folder), manifest))


def _leg(asked: Asked) -> dict[str, Any]:
    """Measure one leg in a lab of its own; what the manifest keeps of it."""
    timeline, policy, manifest = asked.timeline, asked.policy, asked.manifest
    where = asked.folder / asked.where
    about: dict[str, Any] = {}
    lab = Lab(policy, timeline.network, asked.sites, asked.lab_seed, where, workers=asked.workers)
    lab.start()
    watch: BoxWatch | None = None
    series = Series(where / SERIES)
    try:
        running: TimelineLab = lab
        facts = dict(lab.facts())
        manifest["facts"].update(facts)  # the control has no box to tell of
        manifest["sites"] = [[site.name, site.ipv4, site.ipv6] for site in lab.sites]
        if running.boxes:
            watch = BoxWatch(partial(stats_of, lab, running.boxes), MAX_ADDED_S)
            watch.__enter__()
        leg = Leg(
            run=asked.run,
            timeline=timeline,
            policy=policy,
            seed=asked.seed,
            lab=running,
            record=asked.record,
            series=series,
            tick=asked.tick,
            link_means=str(facts.get("delay_means", "")),
            slowed_by=slowed_by(policy, lab.box_stats(running.boxes[0]) if running.boxes else None),
            watch=watch,
            repeat=asked.repeat,
            known=asked.known,
        )
        try:
            leg.measure()
        finally:
            about["phases"] = [[one.name, one.begin_s, one.end_s] for one in leg.clock.passed]
            _keep_logs(where / "logs", leg)
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
    return about


def _keep_logs(folder: Path, leg: Leg) -> None:
    """What the tools' servers have said, beside the logs of the lab."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, said in leg.logs.items():
        (folder / f"server-{name}.log").write_text(said)


EMULATED = Backend(name="emulate", leg=_leg, means=lambda tool: TOOLS[tool].means())
