"""`penstock shell`, spoken to by a script; a person at a terminal is played in `test_terminal`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.cli import main
from testbed.cli.shell import counted, told
from testbed.scenario import find

ROOT = Path(__file__).resolve().parents[3]
POLICY = """
name: one-name
about: a policy for tests
rules:
  - {name: sni, match: {tls.sni: blocked.example}, action: {drop: flow}}
"""


def shell(text: str, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "testbed.cli", "shell", *words]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, input=text, capture_output=True, text=True, env=env, timeout=120, check=False)


@pytest.mark.lab
def test_a_session_with_a_box(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    script = """
        hosts                      # who is there
        client curl -sS https://innocent.example/
        client curl -sS -m 1 https://blocked.example/
        box decisions
        box rules
        box stats
        policy
        box hostname
        policy none
        client curl -sS https://blocked.example/
        pcap
        clint true
        client false
    """
    done = shell(script, "--topology", "small", "--policy", str(tmp_path / "p.yaml"))
    assert "client     subscriber  10.0.0.1" in done.stdout
    assert "This is innocent.example" in done.stdout
    assert "curl: (28)" in done.stderr
    assert "[sni]" in done.stdout
    assert "  sni: 1 time; the kernel: dropped " in done.stdout
    assert "  flows that no rule can touch: the kernel: let by " in done.stdout
    assert "alive: true" in done.stdout
    assert "box: one-name" in done.stdout
    assert "This is blocked.example" in done.stdout
    assert "no host or command 'clint'; did you mean 'client'?" in done.stderr
    assert done.returncode == 1


@pytest.mark.lab
def test_another_shell_joins_and_watches(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    argv = [sys.executable, "-m", "testbed.cli", "shell", "--topology", "small", "--policy", str(tmp_path / "p.yaml")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        first.stdin.write("client echo up\n")
        first.stdin.flush()
        assert first.stdout.readline() == "up\n"
        second = shell(
            "policy none\nclient sh -c 'sleep 0.5; curl -sS -m 0.5 https://blocked.example/' &\n",
            "--join",
            str(first.pid),
        )
        assert "only the terminal that started the lab" in second.stderr
        watcher = subprocess.Popen(
            [*argv[:4], "--join", str(first.pid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        assert watcher.stdin is not None
        assert watcher.stdout is not None
        watcher.stdin.write("client echo there\nbox watch 5\n")
        watcher.stdin.close()
        assert watcher.stdout.readline() == "there\n"
        for _ in range(3):
            first.stdin.write("client curl -sS -m 0.3 https://blocked.example/\n")
        first.stdin.flush()
        assert "[sni]" in watcher.stdout.readline()
        first.stdin.close()
        assert first.wait(30) == 28
        watcher.wait(30)
        watcher.stdout.close()
        assert watcher.returncode in (0, 2, 3)  # the lab has gone from under it, or its five seconds were over


@pytest.mark.lab
def test_a_scenario_brings_its_policy() -> None:
    done = shell("policy\nsites\n", "sni-filtering", "--topology", "small")
    assert done.stdout.splitlines()[0].startswith(f"box: {find('sni-filtering').policies[0]}")
    assert "blocked.example" in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["sni-filterin"], 2, "did you mean 'sni-filtering'?"),
        (["--join", "1234567"], 3, "penstock shell: "),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words: list[str], status: int, message: str) -> None:
    done = shell("", *words)
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_lab_that_is_to_be_joined_is_named_where_several_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("testbed.lab.running", lambda: ["12", "34"])
    assert main(["shell", "--join"]) == 2
    assert "several labs run; name one of them: 12, 34" in capsys.readouterr().err


def test_a_decision_is_told_in_one_line() -> None:
    decision = json.loads(
        '{"t_ns": 1700000000123456789, "box": "box", "flow": "tcp 10.0.0.1:1>203.0.113.10:443", "packet": 3,'
        ' "rule": "sni", "action": "reset", "verdict": "pass", "injected": 6, "reason": "it matched"}'
    )
    line = told(decision)
    assert line.split(" ", 1)[1] == "box tcp 10.0.0.1:1>203.0.113.10:443 pass, 6 injected [sni] it matched"
    assert line[8:12] == ".123"


def test_what_the_kernel_did_is_told_for_each_rule_and_for_the_flows_of_none() -> None:
    kernel = {
        "": {"let by": {"packets": 1, "bytes": 60}},
        "policer": {"passed": {"packets": 20, "bytes": 30_000}, "dropped": {"packets": 2, "bytes": 3_000}},
    }
    assert list(counted({"policer": 1, "sni": 3}, kernel)) == [
        "policer: 1 time; the kernel: passed 20 packets of 30000 bytes, dropped 2 packets of 3000 bytes",
        "sni: 3 times",
        "flows that no rule can touch: the kernel: let by 1 packet of 60 bytes",
    ]
    assert list(counted({"sni": 0}, {"gone": {"passed": {"packets": 1, "bytes": 2}}}))[1].startswith("gone: 0 times; ")


@pytest.mark.lab
def test_a_box_is_given_a_policy_by_a_path_as_the_caller_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    (tmp_path / "rel.yaml").write_text(POLICY.replace("one-name", "another"))
    monkeypatch.chdir(tmp_path)
    done = shell("box reload rel.yaml\nbox rules\n", "--topology", "small", "--policy", "p.yaml")
    assert "box: another\n" in done.stdout, done.stderr
    assert done.returncode == 0
