"""Programs of the lab: readiness, death, end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from testbed.emulate.processes import ProcessError, Processes, says


def start(processes: Processes, log: Path, script: str) -> None:
    process = processes.start("it", ["sh", "-c", script], place=None, env=os.environ, log=log)
    processes.wait_ready({"it": says(process, "ready")}, 5.0)


def test_a_program_that_says_the_word_is_ready_and_ends_when_asked(tmp_path: Path) -> None:
    processes = Processes()
    start(processes, tmp_path / "log", "echo ready; exec sleep 100")
    assert processes.dead() == []
    assert processes.stop(["it"], 5.0) == []
    assert processes.by_name["it"].status == -signal.SIGTERM
    assert processes.dead() == []  # it was asked to


def test_a_program_that_ends_at_once_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="it ended at once, status 4: no such thing"):
        start(Processes(), tmp_path / "log", "echo no such thing >&2; exit 4")


def test_a_program_that_never_gets_ready_is_an_error(tmp_path: Path) -> None:
    processes = Processes()
    process = processes.start("it", ["sleep", "100"], place=None, env=os.environ, log=tmp_path / "log")
    with pytest.raises(ProcessError, match="it was not ready within 0 s"):
        processes.wait_ready({"it": says(process, "ready")}, 0.05)
    processes.stop(["it"], 5.0)


def test_a_program_that_does_not_want_to_end_is_killed(tmp_path: Path) -> None:
    processes = Processes()
    start(processes, tmp_path / "log", "trap '' TERM; echo ready; sleep 100 & wait")
    assert processes.stop(["it"], 0.1) == ["it"]
    assert processes.by_name["it"].status == -signal.SIGKILL


def test_a_program_that_dies_is_named(tmp_path: Path) -> None:
    processes = Processes()
    start(processes, tmp_path / "log", "echo ready; exec sleep 100")
    os.kill(processes.by_name["it"].pid, signal.SIGKILL)
    end = time.monotonic() + 5
    while not processes.dead() and time.monotonic() < end:
        time.sleep(0.01)
    assert processes.dead() == ["it"]
    assert processes.last_words() == {}  # it had no time for any


def test_what_a_program_that_broke_said_last_is_told(tmp_path: Path) -> None:
    processes = Processes()
    start(processes, tmp_path / "log", "echo ready; sleep 0.2; echo first; echo worker 1 is gone >&2; exit 3")
    end = time.monotonic() + 5
    while not processes.dead() and time.monotonic() < end:
        time.sleep(0.01)
    assert processes.last_words() == {"it": "worker 1 is gone"}


def test_what_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="it: cannot start /no/such: No such file"):
        Processes().start("it", ["/no/such"], place=None, env=os.environ, log=tmp_path / "log")
