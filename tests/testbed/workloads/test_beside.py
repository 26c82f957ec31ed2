"""A server of a workload's own: ready before it is used, ended afterwards, and its failure is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from testbed.emulate.outside import LabError
from testbed.workloads import WORKLOADS
from testbed.workloads.beside import Beside, Brings


@dataclass
class _Running:
    process: subprocess.Popen[bytes]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float | None = None) -> int | None:
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class _Server:
    name: str = "web"
    running: list[_Running] = field(default_factory=list)

    def start(self, argv: Sequence[str], *, stdout: int | None = None) -> _Running:
        self.running.append(_Running(subprocess.Popen(argv, stdout=stdout)))
        return self.running[-1]


def test_it_runs_while_it_is_entered() -> None:
    server = _Server()
    before = len(os.listdir("/proc/self/fd"))
    with Beside(server, [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]):
        assert server.running[0].process.poll() is None
    assert server.running[0].process.returncode == -signal.SIGKILL
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_ends_instead_is_an_error() -> None:
    server = _Server()
    with (
        pytest.raises(LabError, match="on the serving host ended with status 3"),
        Beside(server, [sys.executable, "-c", "raise SystemExit(3)"]),
    ):
        pass


def test_which_workloads_bring_one() -> None:
    assert [name for name, workload in WORKLOADS.items() if isinstance(workload, Brings)] == ["web-h3", "call"]
