"""Run a scenario: the control, then each policy, each in a lab of its own; rows, manifest and report in one folder.

While the probes of one policy wait for its residual censorship to end, the next policy is measured already: the lab
that waits is idle. It decides nothing about the rows' worth (`fidelity`) or meaning (`findings`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from middlebox.policy import Policy
from testbed import manifest as manifests
from testbed.fidelity import BoxWatch, asked, most_added_s
from testbed.judging import normals
from testbed.lab import Lab
from testbed.leg import Leg, RunningLab
from testbed.residual import Probing, steps
from testbed.result import CONTROL, Row, RowsFile
from testbed.run_folder import Ran, Recorder, as_typed, begin, end, new_folder, now, total
from testbed.scenario import Kind, Scenario
from testbed.series import SeriesFile
from testbed.slowed_by import slowed_by


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
    manifest = begin(scenario, policies, seed=seed, folder=folder, command=command)
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
    return end(folder, manifest)


class _Opened:
    """A lab under one policy, with its leg, its watch and its probing; leaving it takes all of them down."""

    def __init__(
        self, scenario: Scenario, policy: Policy | None, *, seed: int, folder: Path, record: Recorder, workers: int
    ) -> None:
        name = policy.name if policy else CONTROL
        self._about: dict[str, Any] = {"policy": name, "folder": name, "started": now()}
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
        self._about["ended"] = now()
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


__all__ = ["Ran", "Recorder", "as_typed", "new_folder", "run", "total"]
