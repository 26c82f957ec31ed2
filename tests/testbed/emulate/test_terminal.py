"""A command that has the caller's terminal: a person at a keyboard is played through a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from testbed.emulate.terminal import is_terminal

ROOT = Path(__file__).resolve().parents[3]


def play(words: list[str], lines: list[tuple[str, str]], *, from_script: bool = False) -> tuple[str, int]:
    """Start a command line on a terminal; for each pair wait for the first text and then type the second.

    `from_script`: as a script starts what it leaves in the background, deaf to Ctrl-C.
    """
    pid, keyboard = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN if from_script else signal.default_int_handler)
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execv(sys.executable, [sys.executable, "-W", "ignore", "-m", "testbed.cli", *words])
    shown, seen = "", 0
    end = time.monotonic() + 40
    waits = list(lines)
    while time.monotonic() < end:
        if waits and waits[0][0] in shown[seen:]:
            seen = len(shown)
            time.sleep(0.3)  # as a person would, after the program has begun to read
            os.write(keyboard, waits.pop(0)[1].encode())
        if select.select([keyboard], [], [], 0.05)[0]:
            try:
                part = os.read(keyboard, 4096)
            except OSError:
                break
            shown += part.decode()
    os.close(keyboard)
    return shown, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.lab
def test_a_shell_on_a_host_has_job_control_and_its_keys() -> None:
    words = ["exec", "--topology", "small", "--", "bash", "--norc", "--noprofile"]
    shown, status = play(
        words,
        [("# ", "tty; sleep 100\n"), ("/dev/pts/", "\x03"), ("# ", "echo back$((1 + 1))\n"), ("back2", "exit 6\n")],
    )
    assert "job control" not in shown  # bash complains if it has no terminal of its own
    assert "back2" in shown
    assert status == 6


@pytest.mark.lab
def test_the_labs_shell_survives_ctrl_c_and_leaves_with_ctrl_d() -> None:
    shown, status = play(
        ["shell", "--topology", "small"],
        [("penstock> ", "client sleep 100\n"), ("\n", "\x03"), ("penstock> ", "hosts\n"), ("penstock> ", "\x04")],
    )
    assert "subscriber  10.0.0.1" in shown
    assert status == 0


@pytest.mark.lab
def test_lines_that_are_typed_ahead_or_pasted_wait_for_the_prompt() -> None:
    pasted = "client sleep 1\nclient echo one$((0 + 1))\nhosts\nclient echo two$((1 + 1))\n"
    shown, status = play(["shell", "--topology", "small"], [("penstock> ", pasted), ("two$((1 + 1))\r\ntwo", "exit\n")])
    said = [line for line in shown.splitlines() if not line.startswith("penstock> ")]
    assert [line for line in said if line.startswith("one$")] == ["one$((0 + 1))"], shown  # no shell runs on the host
    assert any(line.startswith("client     subscriber") for line in said)
    assert status == 0


@pytest.mark.lab
def test_a_command_that_reads_gets_its_lines_and_the_prompt_the_rest() -> None:
    pasted = "client head -n 1\nfor head\nclient cat\nfor cat\nmore for cat\n\x04client echo ends there\nclient  hea"
    shown, status = play(
        ["shell", "--topology", "small"],
        [("penstock> ", pasted), ("> client  hea", "d -c 5\nabcde\nexit\n")],
    )
    lines = shown.splitlines()
    assert lines.count("for head") == 2, shown  # as it was typed, and by head
    assert lines.count("for cat") == lines.count("more for cat") == 2, shown
    assert "no host or command" not in shown
    assert shown.count("abcde") == 2, shown
    assert status == 0


@pytest.mark.lab
def test_ctrl_c_interrupts_a_command_that_has_not_read_what_was_typed() -> None:
    shown, status = play(
        ["shell", "--topology", "small"],
        [
            ("penstock> ", "client sleep 100\n"),
            ("\n", "typed ahead\nand more\n"),
            ("ahead", "\x03"),
            ("penstock> ", "exit\n"),
        ],
    )
    assert "no host or command 'typed'" not in shown  # as in any terminal, Ctrl-C throws away what was typed ahead
    assert status == 0


@pytest.mark.lab
def test_ctrl_c_also_interrupts_when_a_script_has_begun_it_all_in_the_background() -> None:
    lines = [("penstock> ", "client sleep 100\n"), ("\n", "\x03"), ("penstock> ", "exit\n")]
    assert play(["shell", "--topology", "small"], lines, from_script=True)[1] == 0


def test_pipes_are_no_terminal() -> None:
    assert not is_terminal() or os.isatty(0)
