"""The leader of a terminal's session saves what its command did not read, and ends as the command did."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
import time
from collections.abc import Callable

import pytest

from testbed.emulate.leader import END_OF_INPUT, ENDED, lead


def led(command: Callable[[], None], typed: bytes) -> tuple[int, bytes]:
    """Run a command under a leader on a terminal with something typed; its status, and what is in the file."""
    ours, theirs = os.openpty()
    unread = os.memfd_create("unread")
    leader = os.fork()
    if leader == 0:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        os.close(ours)
        lead(theirs, unread)
        os.dup2(theirs, 0)
        while not os.read(0, 100).startswith(b"begin"):
            pass
        command()
        os._exit(7)
    os.write(ours, b"begin\n" + typed)
    status = os.waitstatus_to_exitcode(os.waitpid(leader, 0)[1])
    found = os.pread(unread, 10_000, 0)
    for file in (ours, theirs, unread):
        os.close(file)
    return status, found


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        (b"", b""),
        (b"one\ntwo\n", b"one\ntwo\n"),
        (b"one\nhalf", b"one\nhalf"),
        (b"\x04more\n", END_OF_INPUT + b"more\n"),
    ],
)
def test_what_is_left_unread_is_saved_behind_the_mark_of_the_end(typed: bytes, left: bytes) -> None:
    assert led(lambda: time.sleep(0.2), typed) == (7, ENDED + left)


def test_what_was_read_is_not_saved() -> None:
    def read_a_line() -> None:
        os.read(0, 100)
        time.sleep(0.1)

    assert led(read_a_line, b"one\ntwo\n") == (7, ENDED + b"two\n")


def test_a_signal_is_told_as_a_shell_does() -> None:
    status, found = led(lambda: os.kill(os.getpid(), signal.SIGTERM), b"rest\n")
    assert (status, found) == (128 + signal.SIGTERM, ENDED + b"rest\n")
