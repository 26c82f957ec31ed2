"""What a run keeps and how it begins and ends, in a lab or in virtual time: rows as they come, manifest, checks.

It measures nothing: `run` does in labs, `virtual.run` in virtual time.
"""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from middlebox.load import shipped
from middlebox.policy import Policy
from testbed import manifest as manifests
from testbed.findings import Check
from testbed.judging import held_to
from testbed.reading import reading
from testbed.residual import steps
from testbed.result import CONTROL, Row, RowsFile
from testbed.scenario import Scenario
from testbed.series import Series, SeriesFile

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


def begin(
    scenario: Scenario,
    policies: list[Policy],
    *,
    seed: int,
    folder: Path,
    command: list[str],
    run: str = "",
    backend: str = "emulate",
) -> dict[str, Any]:
    """Write the manifest of a run that begins, and return it; `run`: its name, if not the folder's."""
    texts = [{"name": one.name, "about": one.about, "text": one.source_text, "rate": held_to(one)} for one in policies]
    for told, one in zip(texts, policies, strict=True):
        told["given"] = given_as(one)
        told["memories"] = ", ".join(sorted({rule.memory.key.value for rule in one.rules if rule.memory}))
    manifest = manifests.begin(
        scenario, run=run or folder.name, seed=seed, policies=texts, command=command, backend=backend
    )
    manifest["started"] = now()
    manifests.write(folder, manifest)
    return manifest


def given_as(policy: Policy) -> str:
    """How a command line names it: a shipped policy by its name, any other by its file."""
    return policy.name if policy.path is None or policy.path in shipped().values() else str(policy.path)


def end(folder: Path, manifest: dict[str, Any]) -> Ran:
    """Check what had to hold, and write the manifest of a run that is over."""
    if len(manifest["policies"]) == 1:
        _link(folder, manifest["policies"][0]["name"])
    return finish(folder, manifest, reading(manifest).checks(folder))


def finish(folder: Path, manifest: dict[str, Any], found: Sequence[Check]) -> Ran:
    """Write what was found of all that had to hold, and that the run is over."""
    ran = Ran(folder=folder, manifest=manifest, checks=tuple(found))
    manifest["checks"] = [{"text": one.text, "held": one.held, "lab": one.lab} for one in found]
    manifest.update(finished=True, status=ran.status, ended=now())
    manifests.write(folder, manifest)
    return ran


def _link(folder: Path, leg: str) -> None:
    for name in _AT_THE_TOP:
        if (folder / leg / name).exists() and not (folder / name).exists():
            os.symlink(Path(leg) / name, folder / name)


def now() -> str:
    """The time of day, as manifests say it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def as_typed(command: list[str]) -> str:
    """The command line as a person types it."""
    return "./penstock " + shlex.join(command)
