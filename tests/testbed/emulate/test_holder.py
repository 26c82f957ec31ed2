"""Whatever is killed, nothing stays behind; the kernel is asked, not the lab."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.lab import Lab, LabError
from tests.testbed.emulate.residue import Footprint, traces

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[3]
#: seconds within which the kernel must have taken everything away
SOON = 5.0

#: a caller of its own, which can be killed; it says which process stands for its lab
CALLER = """
import sys, time
from testbed import Lab
from testbed.topology import Way, national
slow = national(name="slow", subscribers=1, transit=0, abroad=Way(delay=0.001), access=("direct",), relay=False)
with Lab(policy={policy!r}, topology=slow, out=sys.argv[1]) as lab:
    sleeper = lab.client.start(["sleep", "1000"])
    print(lab.pid, flush=True)
    time.sleep(1000)
"""

POLICY = """
name: one-rule
about: a policy for a test of the lab
rules:
  - name: sni
    match: {tls.sni: blocked.example}
    action: {drop: flow}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def caller(tmp_path: Path, policy: Path) -> Iterator[subprocess.Popen[str]]:
    script = tmp_path / "caller.py"
    script.write_text(CALLER.format(policy=str(policy)))
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, str(script), str(tmp_path / "run")]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env, cwd=tmp_path)
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def footprint(caller: subprocess.Popen[str]) -> Footprint:
    assert caller.stdout is not None
    found = Footprint.of(int(caller.stdout.readline()))
    assert len(found.members) > 12  # unshare, holder, six nodes, delay line, box, two servers, two captures, sleep
    return found


@pytest.mark.parametrize("victim", ["caller", "unshare", "holder"])
def test_a_lab_is_gone_when_a_process_that_carries_it_is_killed(
    caller: subprocess.Popen[str], victim: str, tmp_path: Path
) -> None:
    before = traces()
    lab = footprint(caller)
    assert lab.left()
    pids = {"caller": caller.pid, "unshare": next(iter(lab.members)), "holder": lab.holder()}
    assert "unshare" in lab.members[pids["unshare"]]
    assert pids["holder"] != pids["unshare"]
    pid = pids[victim]
    os.kill(pid, signal.SIGKILL)
    assert lab.gone_within(SOON) == []
    caller.kill()
    caller.wait()
    assert traces() == before
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"client.pcap", "server.pcap", "logs"}


def test_a_forked_child_of_the_caller_does_not_keep_the_lab_alive(tmp_path: Path) -> None:
    script = tmp_path / "forks.py"
    script.write_text(
        "import os, sys, time\n"
        "from testbed import Lab\n"
        "lab = Lab(topology='small').start()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    time.sleep(1000)\n"
        "print(lab.pid, child, flush=True)\n"
        "time.sleep(1000)\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    pid, child = map(int, process.stdout.readline().split())
    lab = Footprint.of(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    try:
        assert lab.gone_within(SOON) == []
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_program_of_the_lab_that_is_killed_is_named_and_nothing_stays(policy: Path, tmp_path: Path) -> None:
    before = traces()
    with Lab(policy=policy, out=tmp_path / "run") as lab:
        seen = Footprint.of(lab.pid)
        assert lab.alive()
        victims = {
            "box": ("middlebox.drivers.nfqueue",),
            "dns": ("dnsmasq",),
            "web": ("nginx", "master"),
            "capture client": ("testbed.emulate.capture", "client.pcap"),
        }
        if lab.facts()["delay_means"] == "delay line":
            victims["delay line"] = ("testbed.emulate.delayline",)
        for number, (name, words) in enumerate(victims.items(), 1):
            os.kill(seen.find(*words), signal.SIGKILL)
            end = time.monotonic() + SOON
            while len(lab.dead()) < number and time.monotonic() < end:
                time.sleep(0.02)
            assert name in lab.dead()
        os.kill(seen.find("mininet:gateway"), signal.SIGKILL)  # its namespace stays open, so the lab goes on
        assert not lab.alive()
        assert lab.box_stats() == {"alive": False}
        assert lab.host("gateway").run(["true"]).status == 0
    assert seen.gone_within(SOON) == []
    assert traces() == before


def test_ten_labs_one_after_the_other_leave_nothing() -> None:
    before, files = traces(), len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with Lab(topology="small") as lab:
            seen = Footprint.of(lab.pid)
            assert lab.client.run(["true"]).status == 0
        lab.close()
        assert seen.gone_within(SOON) == []
    assert traces() == before
    assert len(os.listdir("/proc/self/fd")) == files


def test_what_is_asked_of_a_dead_lab_says_so(tmp_path: Path) -> None:
    with Lab(topology="small") as lab:
        os.kill(lab.pid, signal.SIGKILL)
        end = time.monotonic() + SOON
        while lab.alive() and time.monotonic() < end:
            time.sleep(0.02)
        with pytest.raises(LabError, match=r"is gone|ended"):
            lab.client.run(["true"])


def test_two_labs_stand_beside_each_other() -> None:
    with Lab(topology="small") as one, Lab(topology="small") as two:
        assert one.name != two.name
        one.client.run(["ip", "link", "set", "client-eth0", "down"])
        assert one.client.run(["curl", "-sS", "--max-time", "1", "http://203.0.113.10/"]).status != 0
        assert two.client.run(["curl", "-sS", "--max-time", "5", "http://203.0.113.10/"]).status == 0
