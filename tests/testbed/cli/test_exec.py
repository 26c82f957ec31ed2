"""`penstock exec`: the command's own files and status; errors in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[3]
POLICY = """
name: one-name
about: a policy for tests
rules:
  - {name: sni, match: {tls.sni: blocked.example}, action: {drop: flow}}
"""


def penstock(*words: str, text: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "testbed.cli", "exec", "--topology", "small", *words]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, input=text, capture_output=True, text=True, env=env, cwd=cwd, timeout=60, check=False)


def test_files_and_status_are_the_commands_own() -> None:
    done = penstock("--", "sh", "-c", "cat; echo to-stderr >&2; exit 5", text="from stdin\n")
    assert (done.stdout, done.stderr, done.returncode) == ("from stdin\n", "to-stderr\n", 5)


def test_closed_standard_files_are_empty_ones() -> None:
    argv = [sys.executable, "-m", "testbed.cli", "exec", "--topology", "small", "--", "sh", "-c", "cat; exit 7"]
    script = '"$@" <&- >&- 2>&-'
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    assert subprocess.run(["sh", "-c", script, "sh", *argv], env=env, timeout=60, check=False).returncode == 7


def test_a_command_runs_under_the_policy_and_what_happened_is_kept(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    words = ["--policy", "p.yaml", "--out", "run", "--site", "mine.example"]
    script = "curl -sS https://mine.example/; curl -sS -m 1 https://blocked.example/"
    done = penstock(*words, "--", "sh", "-c", script, cwd=tmp_path)
    assert done.stdout.startswith("This is mine.example")
    assert done.returncode == 28
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "box.json", "box.pcap", "client.pcap", "decisions.jsonl", "logs", "server.pcap"
    }  # fmt: skip
    again = penstock(*words, "--", "true", cwd=tmp_path)
    assert again.returncode == 3
    assert "holds a run already" in again.stderr


def test_a_command_can_run_on_another_host() -> None:
    done = penstock("--from", "web", "--", "ip", "-br", "address", "show", "web-eth0")
    assert "203.0.113.1/32" in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--", "no-such-command"], 127, "penstock exec: no-such-command: command not found\n"),
        (["--"], 2, "penstock exec: no command; say for example:"),
        (
            ["--from", "clent", "--", "true"],
            2,
            "penstock exec: no host 'clent' in topology 'small'; did you mean 'client'?",
        ),
        (["--topology", "smal", "--", "true"], 2, "penstock exec: no topology 'smal'; did you mean 'small'?"),
        (["--policy", "no-such-policy", "--", "true"], 2, "penstock exec: "),
        (["--site", "x", "--", "true"], 2, "penstock exec: site 'x': a host name"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words: list[str], status: int, message: str) -> None:
    done = penstock(*words)
    assert done.returncode == status
    assert done.stderr.startswith(message)
    assert "Traceback" not in done.stderr


def test_a_signal_goes_to_the_command_whose_status_tells_it() -> None:
    argv = [
        sys.executable,
        "-m",
        "testbed.cli",
        "exec",
        "--topology",
        "small",
        "--",
        "sh",
        "-c",
        "echo up; exec sleep 100",
    ]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    begin = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert time.monotonic() - begin < 10
    process.stdout.close()


def test_a_box_that_died_gives_no_result(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    script = "for p in /proc/[0-9]*; do grep -q 'drivers[.]nfqueue' $p/cmdline && kill -9 ${p#/proc/}; done; sleep 0.5"
    done = penstock("--policy", str(tmp_path / "p.yaml"), "--", "sh", "-c", script)
    assert done.returncode == 3
    assert "box died while the command ran, so" in done.stderr


def test_a_worker_that_died_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY)
    inner = "grep -q 'drivers[.]nfqueue' /proc/$(cut -d' ' -f4 $p/stat)/cmdline && kill -9 ${p#/proc/} && break"
    script = f"for p in /proc/[0-9]*; do grep -q 'drivers[.]nfqueue' $p/cmdline && {inner}; done; sleep 0.5"
    done = penstock("--policy", str(tmp_path / "p.yaml"), "--workers", "2", "--", "sh", "-c", script)
    assert done.returncode == 3
    assert "box died while the command ran (box 'box': worker " in done.stderr
    assert "was ended by signal 9 (SIGKILL)), so what it saw says nothing of the policy" in done.stderr


def test_a_policy_that_workers_cannot_share_is_refused_before_anything_runs() -> None:
    done = penstock("--policy", "vpn-block-address", "--workers", "2", "--", "true")
    assert done.returncode == 2
    assert "cannot be shared among workers" in done.stderr
    assert done.stderr.endswith("use --workers 1\n")
