"""Starting processes with the files, folder and signals that they are to have."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from testbed.emulate.kernel import fork, spawn


def output(argv: list[str], **options: object) -> tuple[int, str]:
    out = os.memfd_create("out")
    null = os.open(os.devnull, os.O_RDWR)
    try:
        pid = spawn(argv, stdio=(null, out, out), **options)  # type: ignore[arg-type]
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, os.pread(out, 10_000, 0).decode()
    finally:
        os.close(out)
        os.close(null)


def test_a_program_gets_its_environment_and_folder(tmp_path: Path) -> None:
    status, said = output(["sh", "-c", 'echo "$COLOUR in $(pwd)"; exit 3'], env={"COLOUR": "red"}, cwd=str(tmp_path))
    assert (status, said) == (3, f"red in {tmp_path}\n")


def test_a_program_leads_a_group_of_its_own_with_signals_as_usual() -> None:
    status, _ = output(["sh", "-c", "kill -PIPE $$; exit 0"])
    assert status == -signal.SIGPIPE  # Python ignores this signal, and a child would inherit that
    out = os.memfd_create("out")
    pid = spawn(["sleep", "100"], stdio=(out, out, out))
    assert os.getpgid(pid) == os.getsid(pid) == pid
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(out)


def test_no_other_file_is_open_in_a_program() -> None:
    extra = os.open(os.devnull, os.O_RDONLY)
    _, said = output(["ls", "/proc/self/fd"])
    assert said.split() == ["0", "1", "2", "3"]  # 3: the folder that ls reads
    os.close(extra)


def test_what_cannot_be_started_raises_here() -> None:
    with pytest.raises(FileNotFoundError):
        output(["/no/such/program"])
    with pytest.raises(PermissionError):
        output(["/etc/passwd"])


def test_what_a_forked_child_raises_is_raised_here() -> None:
    def fails() -> None:
        raise RuntimeError("of all things")

    with pytest.raises(OSError, match="RuntimeError: of all things"):
        fork(fails)
