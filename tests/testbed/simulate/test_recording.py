"""What a simulated lab leaves on disk: the same files as a real one, and a capture that decides the same again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from middlebox.censor import Censor
from middlebox.drivers.capture import read_packets
from middlebox.drivers.log import line
from middlebox.drivers.replay import replay
from middlebox.policy import Policy
from testbed.simulate.laboratory import SimulatedLab


def test_captures_decisions_and_what_a_replay_needs(tmp_path: Path) -> None:
    with SimulatedLab("gfw-like", seed=7, out=tmp_path) as lab:
        lab.run(lab.browser.fetch("blocked.example"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "box.json",
        "box.pcap",
        "client.pcap",
        "decisions.jsonl",
        "server.pcap",
    ]
    assert json.loads((tmp_path / "box.json").read_text())["seed"] == 7
    logged = (tmp_path / "decisions.jsonl").read_bytes()
    assert logged.splitlines(keepends=True) == lab.log()
    again = replay(Censor(Policy.load("gfw-like"), seed=7), read_packets(tmp_path / "box.pcap"))
    assert b"".join(line(one, "box") for one in again if not one.simply_passed) == logged
    client = [one.ip for one in read_packets(tmp_path / "client.pcap")]
    assert any(one is not None and b"blocked.example" in one for one in client)


def test_a_control_has_no_box_to_record(tmp_path: Path) -> None:
    with SimulatedLab(out=tmp_path) as lab:
        lab.run(lab.browser.fetch("innocent.example"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["client.pcap", "server.pcap"]
    lab.stop()  # again: nothing is left to write


def test_a_folder_with_a_run_is_refused(tmp_path: Path) -> None:
    SimulatedLab(out=tmp_path).stop()
    with pytest.raises(FileExistsError, match=r"holds a run already \(client.pcap\): give a new one"):
        SimulatedLab(out=tmp_path)
