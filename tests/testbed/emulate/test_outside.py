"""Starting a lab, and the errors of a lab that does not start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from testbed.emulate.outside import Holding, Line, running
from testbed.lab import Lab, LabError

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[3]


def test_a_running_lab_is_found_by_its_name(lab: Lab) -> None:
    assert lab.name in running()
    assert lab.name.startswith(str(os.getpid()))


def test_a_lab_that_is_gone_says_so() -> None:
    with pytest.raises(LabError, match="lab nonesuch is gone"):
        Line("nonesuch").connect()


def test_a_box_that_does_not_start_is_an_error_with_its_last_words(policy: Path) -> None:
    mine = [name for name in running() if name.split(".")[0] == str(os.getpid())]
    lab = Lab(policy=policy, topology="small")
    lab._setup = replace(lab._setup, box_module="no_such_module")
    with pytest.raises(LabError, match=r"box ended at once, status 1: .*No module named no_such_module"):
        lab.start()
    assert [name for name in running() if name.split(".")[0] == str(os.getpid())] == mine


@pytest.mark.parametrize("whom", ["unshare", "holder"])
def test_a_process_that_is_killed_while_the_lab_comes_up_is_said_to_have_been_killed(
    whom: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Holding._await_ready

    def kill_first(self: Holding) -> None:
        pid = self._process.pid
        if whom == "holder":
            children = Path(f"/proc/{pid}/task/{pid}/children")
            while not (there := children.read_text().split()):
                time.sleep(0.001)
            pid = int(there[0])
        os.kill(pid, signal.SIGKILL)
        waiting(self)

    monkeypatch.setattr(Holding, "_await_ready", kill_first)
    with pytest.raises(LabError, match=r"^the lab's first process was killed while it came up"):
        Lab(topology="small").start()


def test_the_callers_process_stays_as_it_was() -> None:
    def state() -> tuple[object, ...]:
        spaces = tuple(os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "mnt", "pid", "user"))
        return spaces, dict(os.environ), os.getcwd(), socket.gethostname(), len(os.listdir("/proc/self/fd"))

    before = state()
    with Lab(topology="small") as lab:
        assert state()[:4] == before[:4]
    lab.close()
    assert state() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's place")
def test_another_user_cannot_join() -> None:
    with Lab(topology="small") as lab:
        script = f"""
import os, socket
os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.connect("\\0penstock-0-{lab.name}")
s.settimeout(5)
try:
    s.sendall(b"\\0\\0\\0\\x10" + b'{{"do": "about"}} ')
    print(s.recv(100))
except ConnectionError:
    print(b"")
"""
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        assert said == "b''\n"
