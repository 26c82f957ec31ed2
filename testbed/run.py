"""Run a scenario: the control, then each policy, each in a lab of its own; rows, manifest and report in one folder.

While the probes of one policy wait for its residual censorship to end, the next policy is measured already: the lab
that waits is idle. It decides nothing about the rows' worth (`fidelity`) or meaning (`findings`).
"""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from middlebox.policy import Policy
from testbed import manifest as manifests
from testbed.fidelity import BoxWatch, asked, most_added_s
from testbed.findings import Check
from testbed.judging import held_to, normals
from testbed.lab import Lab
from testbed.leg import Leg, RunningLab
from testbed.reading import reading
from testbed.residual import Probing, steps
from testbed.result import CONTROL, Row, RowsFile
from testbed.scenario import Kind, Scenario
from testbed.series import Series, SeriesFile
from testbed.slowed_by import slowed_by

#: files of the only policy's leg that also stand at the top of the run folder
_AT_THE_TOP = ("decisions.jsonl", "box.pcap", "box.json", "client.pcap", "server.pcap", "logs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run that came to its end."""

    folder: Path
    manifest: dict[str, Any]
    checks: tuple[Check, ...]

    @property
    def status(self) -> int:
        """The exit status: 3 if the lab gave no trustworthy result, 1 if an expectation failed, else 0."""
        if any(not check.held for check in self.checks if check.lab):
            return 3
        return 0 if all(check.held for check in self.checks) else 1


class Recorder:
    """Where rows go, from all threads: onto the disk, and as a step of progress."""

    def __init__(self, file: RowsFile, progress: Callable[[Row], None], series: SeriesFile | None = None) -> None:
        self._file = file
        self._series = series
        self._progress = progress
        self._lock = threading.Lock()
        self.control: list[Row] = []  #: the rows of the control, which all others are compared with

    def __call__(self, row: Row) -> None:
        with self._lock:
            self._file.write(row)
            if row.policy == CONTROL:
                self.control.append(row)
            self._progress(row)

    def keep(self, row: Row, series: Series) -> None:
        """Keep how an attempt went over time, if that is kept at all."""
        if self._series is None:
            return
        with self._lock:
            self._series.write(series, policy=row.policy, target=row.target, phase=row.phase, attempt=row.attempt)


def total(scenario: Scenario, policies: Iterable[Policy]) -> int:
    """How many attempts a run makes at most."""
    legs = list(policies)
    return len(scenario.targets) * scenario.attempts * (len(legs) + 1) + steps(scenario) * len(legs)


def new_folder(scenario: Scenario, out: Path | None) -> Path:
    """Make the run folder: `out`, or one of its own in `runs/`; raises `FileExistsError` rather than overwrite."""
    if out is not None:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(f"'{out}' is there already and not empty; a run never overwrites another")
        out.mkdir(parents=True, exist_ok=True)
        return out
    first = f"{scenario.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(1, 1000):
        folder = Path("runs") / (first if number == 1 else f"{first}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"runs/{first} and 999 more are there already")


def run(
    scenario: Scenario,
    policies: list[Policy],
    *,
    seed: int,
    folder: Path,
    command: list[str],
    workers: int = 1,
    progress: Callable[[Row], None] = lambda row: None,
    stage: Callable[[str], None] = lambda name: None,
) -> Ran:
    """Measure; raises `LabError` if a lab cannot be brought up. What was measured until then stays in `folder`.

    `workers`: processes of each box. `stage` is told each policy's name, and "" when only the last probes of residual
    censorship are waited for.
    """
    texts = [{"name": one.name, "about": one.about, "text": one.source_text, "rate": held_to(one)} for one in policies]
    for told, one in zip(texts, policies, strict=True):
        told["memories"] = ", ".join(sorted({rule.memory.key.value for rule in one.rules if rule.memory}))
    manifest = manifests.begin(scenario, run=folder.name, seed=seed, policies=texts, command=command)
    manifest["started"] = _now()
    manifests.write(folder, manifest)
    with RowsFile(folder) as rows, ExitStack() as stack:
        series = SeriesFile(folder)
        stack.callback(series.close)
        record = Recorder(rows, progress, series)
        endings = stack.enter_context(ThreadPoolExecutor(len(policies) + 1, thread_name_prefix="ending"))
        waiting: list[Future[dict[str, Any]]] = []
        for policy in (None, *policies):
            stage(policy.name if policy else CONTROL)
            opened = stack.enter_context(
                _Opened(scenario, policy, seed=seed, folder=folder, record=record, workers=workers)
            )
            manifest["facts"].update(opened.facts)  # the control has no box to tell of
            opened.leg.measure()
            waiting.append(endings.submit(opened.end))
            manifest["sites"] = opened.sites
        manifest["waiting"] = steps(scenario) > 0
        manifests.write(folder, manifest)  # a report can be made already, of all but the last probes
        stage("")
        manifest["legs"] = [one.result() for one in waiting]
        manifest["waiting"] = False
    if len(policies) == 1:
        _link(folder, policies[0].name)
    found = reading(manifest).checks(folder)
    ran = Ran(folder=folder, manifest=manifest, checks=tuple(found))
    manifest["checks"] = [{"text": one.text, "held": one.held, "lab": one.lab} for one in found]
    manifest.update(finished=True, status=ran.status, ended=_now())
    manifests.write(folder, manifest)
    return ran


class _Opened:
    """A lab under one policy, with its leg, its watch and its probing; leaving it takes all of them down."""

    def __init__(
        self, scenario: Scenario, policy: Policy | None, *, seed: int, folder: Path, record: Recorder, workers: int
    ) -> None:
        name = policy.name if policy else CONTROL
        self._about: dict[str, Any] = {"policy": name, "folder": name, "started": _now()}
        topology = scenario.network
        # sites: those of the scenario's targets, so that the lab serves what is asked for
        sites = dict.fromkeys([*scenario.sites, *(target.host for target in scenario.targets)])
        self._lab = Lab(policy, topology, list(sites), seed, folder / name, workers=workers)
        self._watch: BoxWatch | None = None
        self._probing: Probing | None = None
        self._closing = threading.Lock()
        self._lab.start()
        try:
            lab: RunningLab = self._lab
            self.facts = dict(lab.facts())
            self.sites = [[site.name, site.ipv4, site.ipv6] for site in lab.sites]
            if lab.boxes:
                self._watch = BoxWatch(partial(asked, lab, lab.boxes), most_added_s(topology))
                self._watch.__enter__()
            self.leg = Leg(
                run=folder.name,
                scenario=scenario,
                policy=policy,
                seed=seed,
                lab=lab,
                topology=topology,
                record=record,
                link_means=str(self.facts.get("delay_means", "")),
                slowed_by=slowed_by(policy, lab.box_stats(lab.boxes[0]) if lab.boxes else None),
                ipv6=bool(self.facts.get("ipv6", True)),
                watch=self._watch,
                usual=normals(record.control) if scenario.kind is not Kind.ACCESS else {},
                keep=record.keep,
            )
            if policy and steps(scenario):
                self._probing = Probing(self.leg)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> _Opened:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def end(self) -> dict[str, Any]:
        """Wait for the last probe, take the lab down, and tell what the manifest keeps of this leg."""
        if self._probing:
            self._probing.finish()
        self._about["load"] = self._watch.load() if self._watch else None
        self._about["boxes"] = {box: _totals(self._lab.box_stats(box) or {}) for box in self._lab.boxes}
        self._about["links"] = self._lab.link_stats()
        self._about["addresses_reused"] = self.leg.addresses.reused
        self._about["dead"] = self._lab.dead()
        self.close()
        self._about["ended"] = _now()
        return self._about

    def close(self) -> None:
        """Take everything down; may be called again, and by another thread."""
        with self._closing:
            if self._probing:
                self._probing.stop()
            if self._watch:
                self._watch.__exit__(None, None, None)
                self._watch = None
            self._lab.stop()


#: of a box's answer: what is counted from its start on; the rest belongs to the last window of `BoxWatch`
_TOTALS = (
    "alive", "counters", "overruns", "sent", "send_failures", "clock", "fail", "nice",
    "data_plane", "data_plane_reason",
)  # fmt: skip


def _totals(stats: dict[str, Any]) -> dict[str, Any]:
    found = {name: stats[name] for name in _TOTALS if name in stats}
    return found | ({"workers": [_totals(one) for one in stats["workers"]]} if "workers" in stats else {})


def _link(folder: Path, leg: str) -> None:
    for name in _AT_THE_TOP:
        if (folder / leg / name).exists() and not (folder / name).exists():
            os.symlink(Path(leg) / name, folder / name)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def as_typed(command: list[str]) -> str:
    """The command line as a person types it."""
    return "./penstock " + shlex.join(command)
