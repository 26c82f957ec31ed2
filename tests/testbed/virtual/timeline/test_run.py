"""A timeline in virtual time: the same bytes each time, the rows and files of the lab, and a replay that agrees."""

from __future__ import annotations

from pathlib import Path

from middlebox.censor import Censor
from middlebox.drivers.capture import read_packets
from middlebox.drivers.log import line
from middlebox.drivers.replay import read_sidecar, replay
from middlebox.policy import Policy
from testbed.timeline import page
from testbed.virtual.timeline.run import missing
from tests.testbed.virtual.timeline.made import SHORT, ran

LEG = "vpn-handshake-block"
FILES = ("rows.jsonl", "control/series.jsonl", *(f"{LEG}/{name}" for name in ("box.pcap", "decisions.jsonl")))


def test_two_runs_give_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        ran(tmp_path / name, seed=seed)
    for file in FILES:
        one, two, three = ((tmp_path / name / file).read_bytes() for name in ("one", "two", "three"))
        assert one == two
        assert one
        assert one != three or file.startswith("control")


def test_the_folder_is_that_of_a_run_in_a_lab(tmp_path: Path) -> None:
    made = ran(tmp_path / "run")
    assert made.status == 0
    assert made.manifest["backend"] == "simulate"
    assert made.manifest["tools"]["wireguard"]["means"] == "by shape"
    text = page.write(tmp_path / "run").read_text()
    assert "virtual time" in text
    assert "wireguard" in text


def test_a_timeline_with_a_tool_that_is_not_there_says_so() -> None:
    import dataclasses

    assert missing(SHORT) == ""
    other = dataclasses.replace(SHORT.actors[1], tool="magic")
    assert missing(dataclasses.replace(SHORT, actors=(SHORT.actors[0], other))).startswith("no 'magic' in virtual time")


def test_a_replay_decides_the_same(tmp_path: Path) -> None:
    ran(tmp_path / "run")
    folder = tmp_path / "run" / "vpn-handshake-block"
    told = read_sidecar(folder / "box.pcap")
    assert told is not None
    censor = Censor(Policy.load(tmp_path / "run" / "policies" / "vpn-handshake-block.yaml"), seed=told.seed)
    decided = replay(censor, read_packets(folder / "box.pcap"), phases=told.phases)
    again = [line(one, "box") for one in decided if not one.simply_passed]
    assert b"".join(again) == (folder / "decisions.jsonl").read_bytes()
    assert again
