"""How many workers are meant, and which policies they cannot share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from middlebox.policy import Policy
from testbed.fidelity import BoxWatch
from testbed.lab import Lab
from testbed.result import Fidelity
from testbed.workers import check, count


def test_a_number_is_itself_and_auto_is_as_many_as_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert count(1) == 1
    assert count("7") == 7
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)))
    assert count("auto") == 6
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(600)))
    assert count("auto") == 32


@pytest.mark.parametrize("wanted", ["0", "33", "-1", "many", "", 0])
def test_what_is_no_number_of_workers_is_refused(wanted: int | str) -> None:
    with pytest.raises(ValueError, match=f"workers '{wanted}': a number from 1 to 32, or 'auto', is expected"):
        count(wanted)


def test_a_policy_that_is_too_wide_is_refused_for_several_and_not_for_one() -> None:
    wide = Policy.load("vpn-block-address")
    check(1, [wide])
    check(4, [Policy.load("gfw-like")])
    with pytest.raises(ValueError, match=r"policy 'vpn-block-address' .* cannot be shared among workers"):
        check(2, [Policy.load("gfw-like"), wide])


POLICY = """
name: one-name
about: a policy for tests
rules:
  - {name: sni, match: {tls.sni: {under: [blocked.example]}}, action: {drop: flow}}
"""


@pytest.mark.lab
def test_a_lab_with_workers_is_used_measured_and_replayed_as_any(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    blocked = [f"n{number}.blocked.example" for number in range(4)]
    free = [f"free{number}.example" for number in range(4)]
    with Lab(tmp_path / "p.yaml", "small", [*blocked, *free], out=tmp_path / "out", workers=2) as lab:
        assert lab.facts()["workers"] == lab.facts()["data_plane"]["box"]["workers"] == 2
        with BoxWatch(lambda: lab.box_stats(reset=True) or {}, max_added_s=1.0) as watch:
            curls = "; ".join(f"curl -sS -o /dev/null -m 0.5 https://{name}/ && echo {name}" for name in blocked + free)
            assert lab.client.run(["sh", "-c", curls]).stdout.split() == free
            window = watch.ask()
        assert window.alive
        stats = lab.box_stats()
        assert stats is not None
        assert all(worker["counters"]["packets"] for worker in stats["workers"])
        live = lab.decisions()
        assert set(live["box"]) == {"box.0", "box.1"}
        lab.reload(POLICY.replace("blocked.example", "other.example"))
        assert lab.client.run(["curl", "-sS", "-o", "/dev/null", "-m", "2", f"https://{blocked[0]}/"]).status == 0
    again = lab.decisions()
    assert set(again["box"]) == {"box"}
    # what a client whose packets were dropped sends again may come after that
    assert list(again["t_ns"])[: len(live)] == list(live["t_ns"])
    for name, log in (("box", "decisions"), ("box.0", "box.0"), ("box.1", "box.1")):
        words = [sys.executable, "-m", "testbed.cli", "replay", str(tmp_path / "p.yaml"), f"{tmp_path}/out/{name}.pcap"]
        done = subprocess.run([*words, "--json"], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == (tmp_path / "out" / f"{log}.jsonl").read_text() != ""


#: kill one worker: a process of the box whose parent is one too
_KILL = """
for p in /proc/[0-9]*; do
  grep -q 'drivers[.]nfqueue' $p/cmdline && grep -q 'drivers[.]nfqueue' /proc/$(cut -d' ' -f4 $p/stat)/cmdline &&
    kill -9 ${p#/proc/} && break
done
sleep 0.5
"""


@pytest.mark.lab
def test_a_lab_whose_worker_was_killed_has_no_result_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    with Lab(tmp_path / "p.yaml", "small", workers=2) as lab:
        with BoxWatch(lambda: lab.box_stats(reset=True) or {}) as watch:
            begin_s = watch.ask().end_s
            lab.client.run(["sh", "-c", _KILL])
            end_s = watch.ask().end_s
            judgement = watch.judge(begin_s, end_s)
        assert (judgement.fidelity, judgement.reason) == (Fidelity.NONE, "the box did not answer")
        assert lab.dead() == ["box"]
        (said,) = lab.last_words().values()
        assert said.startswith("box 'box': worker ")
        assert said.endswith("was ended by signal 9 (SIGKILL)")
        assert lab.client.run(["curl", "-sS", "-m", "1", "http://203.0.113.10/"]).status == 28  # it fails closed
