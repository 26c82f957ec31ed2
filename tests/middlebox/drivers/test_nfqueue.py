"""The box's process: where it refuses to start, how it ends, and what it leaves."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from middlebox.drivers.nfqueue import main
from tests.middlebox.drivers.three_nodes import LiveBox, ThreeNodes
from tests.middlebox.drivers.traffic import CLIENT, FOUR, RESET, captured, fetch


def test_outside_of_a_lab_it_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "middlebox.drivers.nfqueue", "--policy", "none", "--out", str(tmp_path / "out")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("box 'box': refusing to attach to this network namespace: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.lab
def test_a_policy_that_cannot_be_read_is_told_and_nothing_is_attached(nodes: ThreeNodes, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "middlebox.drivers.nfqueue", "--policy", "no-such", "--out", str(tmp_path / "out")]
    _, errors = nodes.run("box", words, status=2)
    assert "no-such" in errors
    assert "-A" not in nodes.run("box", ["iptables", "-t", "mangle", "-S"])[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.lab
@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("fail", "outcome"), [("open", "answer"), ("closed", "no connection")])
def test_after_a_kill_packets_meet_the_setting_and_the_files_are_whole(
    nodes: ThreeNodes, tmp_path: Path, fail: str, outcome: str
) -> None:
    box = LiveBox(nodes, tmp_path, RESET, "--fail", fail)
    assert fetch(nodes, 443, f"blocked.example@{FOUR}") == ["ConnectionResetError"]
    box.signal(signal.SIGKILL)
    box.wait()
    done = nodes.start("client", [sys.executable, "-c", CLIENT, "443", f"blocked.example@{FOUR}"])
    out, _ = nodes.finish(done, status=None)
    assert (json.loads(out)["told"][0][0] if done.returncode == 0 else "no connection") == outcome
    (decision,) = box.decisions()
    assert b"blocked.example" in captured(tmp_path)[decision["packet"]][1]
    again = LiveBox(nodes, tmp_path / "again", RESET)
    assert fetch(nodes, 443, f"blocked.example@{FOUR}") == ["ConnectionResetError"]
    assert again.stop() == 0
    assert "NFQUEUE" not in nodes.run("box", ["iptables", "-t", "mangle", "-S"])[0]


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_a_box_that_breaks_says_so_and_exits_with_3(nodes: ThreeNodes, tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").symlink_to("/dev/full")
    box = LiveBox(nodes, tmp_path, RESET, "--fail", "open")
    fetch(nodes, 443, f"blocked.example@{FOUR}")
    assert box.wait() == 3
    assert box.process.stderr is not None
    said = box.process.stderr.read()
    assert "box 'box' broke while it ran: OSError: [Errno 28] No space left on device" in said


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_the_packets_of_an_earlier_run_are_not_written_over(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path, RESET)
    fetch(nodes, 443, f"x.example@{FOUR}")
    assert box.stop() == 0
    kept = (tmp_path / "box.pcap").read_bytes()
    with pytest.raises(RuntimeError, match="holds the packets of an earlier run; give another --out or --name"):
        LiveBox(nodes, tmp_path, RESET)
    assert (tmp_path / "box.pcap").read_bytes() == kept


@pytest.mark.lab
@pytest.mark.usefixtures("server")
def test_two_boxes_in_a_namespace_need_two_queues(nodes: ThreeNodes, tmp_path: Path) -> None:
    box = LiveBox(nodes, tmp_path / "one", RESET)
    with pytest.raises(RuntimeError, match="queue 0 cannot be opened"):
        LiveBox(nodes, tmp_path / "two", RESET)
    assert fetch(nodes, 443, f"blocked.example@{FOUR}") == ["ConnectionResetError"]
    assert box.stop() == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "0"], "--workers is 0; it must lie in 1 to 32"),
        (["--workers", "33"], "--workers is 33; it must lie in 1 to 32"),
        (["--workers", "4", "--queue", "65529"], "--queue is 65529; it must lie in 0 to 65528"),
    ],
)
def test_what_cannot_be_is_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["--policy", "none", "--out", "nowhere", *words])
    assert refused.value.code == 2
    assert message in capsys.readouterr().err
