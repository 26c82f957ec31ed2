"""Commands on hosts: files, status, signals, ends."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from testbed.lab import Lab
from tests.testbed.emulate.residue import processes

pytestmark = pytest.mark.lab


def test_the_status_is_the_commands_own(lab: Lab) -> None:
    assert lab.client.run(["sh", "-c", "exit 9"]).status == 9
    assert lab.client.run(["sh", "-c", "kill -TERM $$"]).status == 128 + signal.SIGTERM


def test_a_command_that_is_not_there_or_not_runnable_says_so(lab: Lab, tmp_path: Path) -> None:
    missing = lab.client.run(["no-such-command"])
    assert (missing.status, missing.stderr) == (127, "no-such-command: command not found\n")
    (tmp_path / "plain").write_text("")
    refused = lab.client.run(["./plain"], cwd=tmp_path)
    assert (refused.status, refused.stderr) == (126, "./plain: permission denied\n")
    lost = lab.client.run(["true"], cwd="/no/such/folder")
    assert (lost.status, lost.stderr) == (
        126,
        "true: the working directory '/no/such/folder' is not there in the lab\n",
    )


def sleepers() -> int:
    return sum(line.startswith("sleep 4321") for _, line in processes().values())


def test_a_closed_command_is_killed_with_its_children(lab: Lab) -> None:
    command = lab.client.start(["sh", "-c", "sleep 4321 & sleep 4321"])
    end = time.monotonic() + 10
    while sleepers() < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert sleepers() == 2
    command.close()
    while sleepers() and time.monotonic() < end:
        time.sleep(0.02)
    assert sleepers() == 0


def test_a_signal_reaches_the_command(lab: Lab) -> None:
    read, write = os.pipe()
    command = lab.client.start(
        ["sh", "-c", "trap 'echo heard; exit 5' USR1; echo ready; while :; do sleep 0.01; done"], stdout=write
    )
    os.close(write)
    assert os.read(read, 100) == b"ready\n"
    command.signal(signal.SIGUSR1)
    assert command.wait(5) == 5
    assert os.read(read, 100) == b"heard\n"
    os.close(read)


def test_a_command_inherits_nothing_but_its_three_files(lab: Lab) -> None:
    assert (
        lab.client.run(["sh", "-c", "ls /proc/self/fd | wc -l"]).stdout.strip() == "4"
    )  # and the folder that ls reads
