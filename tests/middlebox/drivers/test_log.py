"""What a box leaves on disk: whole lines, also from several boxes at once, and a sidecar that is never half there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from middlebox.drivers.log import DecisionLog, Sidecar, decisions, line
from middlebox.verdict import Decision, Direction, Emission, Verdict

_WRITE = """
import sys
from pathlib import Path
from middlebox.drivers.log import DecisionLog
log = DecisionLog(Path(sys.argv[1]))
for number in range(500):
    log.write((sys.argv[2] * 300 + f" {number}\\n").encode())
"""


def test_a_line_is_the_decisions_row_as_json() -> None:
    sent = Emission(packet=b"x", at_ns=5, toward=Direction.TO_CLIENT, injector="one")
    decision = Decision(
        number=3, t_ns=5, verdict=Verdict.DROP, flow="tcp a>b", rule="sni", action="drop", reason="é", injected=(sent,)
    )
    said = line(decision, "box2")
    assert said == json.dumps(decision.row("box2")).encode() + b"\n"
    assert json.loads(said) == {
        "t_ns": 5,
        "box": "box2",
        "flow": "tcp a>b",
        "packet": 3,
        "rule": "sni",
        "action": "drop",
        "verdict": "drop",
        "injected": 1,
        "reason": "é",
    }


def test_boxes_that_share_a_log_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    boxes = [subprocess.Popen([sys.executable, "-c", _WRITE, str(path), letter]) for letter in "abc"]
    assert [box.wait(timeout=30) for box in boxes] == [0, 0, 0]
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(f"{letter * 300} {number}" for letter in "abc" for number in range(500))


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for word in (b"first\n", b"second\n"):
        log = DecisionLog(tmp_path / "log")
        log.write(word)
        log.close()
    assert (tmp_path / "log").read_bytes() == b"first\nsecond\n"


def test_a_full_disk_is_an_error_and_not_a_gap() -> None:
    log = DecisionLog(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        log.write(b"line\n")
    log.close()


def test_the_sidecar_tells_what_a_replay_needs(tmp_path: Path) -> None:
    path = tmp_path / "box.json"
    sidecar = Sidecar(path, box="box", seed=7, policy="mine", policy_text="name: mine\n")
    assert json.loads(path.read_text())["phases"] == []
    sidecar.enter("during", before_packet=120, t_ns=9)
    sidecar.change(policy="other", policy_text="name: other\n", before_packet=130, t_ns=10)
    assert json.loads(path.read_text()) == {
        "box": "box",
        "seed": 7,
        "policy": "mine",
        "policy_text": "name: mine\n",
        "phases": [{"phase": "during", "before_packet": 120, "t_ns": 9}],
        "changes": [{"policy": "other", "policy_text": "name: other\n", "before_packet": 130, "t_ns": 10}],
    }
    assert [file.name for file in tmp_path.iterdir()] == ["box.json"]


def test_while_workers_run_their_decisions_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    def write(name: str, *rows: tuple[str, int]) -> None:
        (tmp_path / name).write_text("".join(json.dumps({"t_ns": at, "box": box}) + "\n" for box, at in rows))

    write("decisions.jsonl", ("one", 1))
    write("box.0.jsonl", ("box.0", 3), ("box.0", 5))
    write("box.1.jsonl", ("box.1", 4))
    write("series.jsonl", ("none", 0))
    (tmp_path / "box.1.jsonl").write_bytes((tmp_path / "box.1.jsonl").read_bytes() + b'{"half')
    assert [one["box"] for one in decisions(tmp_path)] == ["one", "box.0", "box.1", "box.0"]
    (tmp_path / "box.pcap").touch()  # from then on they are in the log of all
    assert [one["box"] for one in decisions(tmp_path)] == ["one"]
    assert decisions(tmp_path / "none") == []
