"""A command on a lab host that has the caller's terminal: a terminal of its own, joined to the caller's.

For people only: what passes is not recorded. Without a terminal, commands get the caller's files as they are.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from testbed.emulate.hosts import Host
from testbed.emulate.outside import Command

_SIZE = b"\0" * 8  # struct winsize, tty_ioctl(4)


def is_terminal() -> bool:
    """True if all three standard files are a terminal."""
    return all(_isatty(file) for file in (0, 1, 2))


def run_here(
    host: Host,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    takes_input: bool = True,
) -> Command:
    """Run a command with this process's own standard files; signals to this process go to the command.

    `takes_input`: False gives it no input. Returns when the command has ended.
    """
    if is_terminal() and takes_input:
        return _with_terminal(host, argv, env, cwd)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None: the caller has closed it
            stream.flush()
    files = [file if _is_open(file) and (file or takes_input) else None for file in (0, 1, 2)]
    with _passing_signals() as pass_to:
        command = host.start(argv, env=env, cwd=cwd, stdin=files[0], stdout=files[1], stderr=files[2])
        pass_to(command)
        command.wait()
    return command


@contextmanager
def _passing_signals() -> Iterator[Callable[[Command], None]]:
    """Hand the signals that mean "end" on to a command, also those that come before it is known."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    early: list[int] = []
    known: list[Command] = []

    def hand_on(number: int, _frame: FrameType | None) -> None:
        if known:
            known[0].signal(number)
        else:
            early.append(number)

    def pass_to(command: Command) -> None:
        known.append(command)
        for number in early:
            command.signal(number)

    before = {number: signal.signal(number, hand_on) for number in numbers}
    try:
        yield pass_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _with_terminal(host: Host, argv: Sequence[str], env: Mapping[str, str] | None, cwd: str | Path | None) -> Command:
    ours, theirs = os.openpty()

    def resize(_number: int = 0, _frame: FrameType | None = None) -> None:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, _SIZE))

    resize()
    before = termios.tcgetattr(0)
    termios.tcsetattr(theirs, termios.TCSANOW, before)
    on_resize = signal.signal(signal.SIGWINCH, resize)
    try:
        with _passing_signals() as pass_to:
            command = host.start(argv, env=env, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, terminal=True)
            pass_to(command)
            os.close(theirs)
            tty.setraw(0)
            _relay(ours, command)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, on_resize)
        os.close(ours)
    return command


def _relay(ours: int, command: Command) -> None:
    """Pass bytes between the two terminals until the command has ended and all that it wrote is shown."""
    sources = [0, ours]
    while True:
        ended = [] if command.status is not None else [command.fileno()]
        ready = select.select([*sources, *ended], [], [], None if ended else 0)[0]
        if ended and ended[0] in ready:
            command.wait()
            sources = [ours]
        if 0 in ready and command.status is None:
            typed = os.read(0, 4096)
            if typed:
                os.write(ours, typed)
            else:
                sources = [ours]
        if ours in ready:
            try:
                shown = os.read(ours, 1 << 16)
            except OSError:  # EIO: nobody has the other end open any more
                shown = b""
            if shown:
                _write_all(1, shown)
            elif command.status is None:
                sources = [file for file in sources if file != ours]
            else:
                return
        elif command.status is not None and not ready:
            return


def _write_all(file: int, what: bytes) -> None:
    while what:
        what = what[os.write(file, what) :]


def _isatty(file: int) -> bool:
    return _is_open(file) and os.isatty(file)


def _is_open(file: int) -> bool:
    try:
        os.fstat(file)
    except OSError:
        return False
    return True
