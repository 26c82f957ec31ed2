"""A command on a lab host that has the caller's terminal: a terminal of its own, joined to the caller's.

For people only: what passes is not recorded. Without a terminal, commands get the caller's files as they are.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from testbed.emulate.hosts import Host
from testbed.emulate.leader import ENDED
from testbed.emulate.outside import Command

_SIZE = b"\0" * 8  # struct winsize, tty_ioctl(4)
#: bytes that a command is given at once: a terminal holds 4095 until they are read
_AT_ONCE = 1024
#: seconds between two looks whether a command has read what it was given, when more waits for it
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05


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
    ahead: bytearray | None = None,
) -> Command:
    """Run a command with this process's own standard files; signals to this process go to the command.

    `takes_input`: False gives it no input. `ahead`: what has been read from this process's terminal before and is to
    be the command's first input; afterwards, what was typed and the command did not read. Returns when the command
    has ended.
    """
    if is_terminal() and takes_input:
        return _with_terminal(host, argv, env, cwd, bytearray() if ahead is None else ahead)
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


def _with_terminal(
    host: Host, argv: Sequence[str], env: Mapping[str, str] | None, cwd: str | Path | None, ahead: bytearray
) -> Command:
    ours, theirs = os.openpty()
    unread = os.memfd_create("unread")

    def resize(_number: int = 0, _frame: FrameType | None = None) -> None:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, _SIZE))

    resize()
    before = termios.tcgetattr(0)
    termios.tcsetattr(theirs, termios.TCSANOW, before)
    on_resize = signal.signal(signal.SIGWINCH, resize)
    try:
        with _passing_signals() as pass_to:
            files = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "terminal": unread}
            command = host.start(argv, env=env, cwd=cwd, **files)
            pass_to(command)
            tty.setraw(0, termios.TCSADRAIN)  # and not TCSAFLUSH: what has been typed ahead is kept
            _relay(_Keyboard(ours, theirs, unread, ahead), command)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, on_resize)
        for file in (ours, theirs, unread):
            os.close(file)
    return command


class _Keyboard:
    """What is typed, on its way to a command: a line at a time, the next when the command has read the one before.

    What the command does not read is kept. The keys that interrupt, quit and suspend overtake what waits, and have it
    thrown away, as in any terminal.
    """

    def __init__(self, ours: int, theirs: int, unread: int, typed: bytearray) -> None:
        self.ours = ours
        self._theirs = theirs
        self._unread = unread
        self._typed = typed

    @property
    def waiting(self) -> bool:
        return bool(self._typed)

    def take(self, keys: bytes) -> None:
        """Take what was typed just now."""
        settings = termios.tcgetattr(self.ours)
        if settings[3] & termios.ISIG:
            signs = [settings[6][place] for place in (termios.VINTR, termios.VQUIT, termios.VSUSP)]
            last = max(keys.rfind(sign) for sign in signs)
            if last >= 0:
                self._typed.clear()
                os.write(self.ours, keys[last : last + 1])
                keys = keys[last + 1 :]
        self._typed += keys

    def give(self) -> bool:
        """Give the command what it may have now; False if it has not read what it was given before."""
        try:
            fcntl.lockf(self._unread, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False  # the command has ended: what it left is being saved
        try:
            if os.fstat(self._unread).st_size:
                return False  # it has ended
            left = struct.unpack("i", fcntl.ioctl(self._theirs, termios.FIONREAD, b"\0" * 4))[0]
            if left:
                return False
            line = self._typed
            if termios.tcgetattr(self.ours)[3] & termios.ICANON:
                line = next(iter(self._typed.splitlines(keepends=True)))
            given = os.write(self.ours, line[:_AT_ONCE])
            del self._typed[:given]
            return True
        finally:
            fcntl.lockf(self._unread, fcntl.LOCK_UN)

    def give_back(self) -> None:
        """Put what the command left unread before what it was not given."""
        size = os.fstat(self._unread).st_size
        self._typed[:0] = os.pread(self._unread, size, 0).removeprefix(ENDED)


def _relay(keyboard: _Keyboard, command: Command) -> None:
    """Pass bytes between the two terminals until the command has ended and all that it wrote is shown."""
    ours = keyboard.ours
    sources = [0, ours]
    pause_s = _SHORTEST_PAUSE_S
    while True:
        if command.status is None and keyboard.waiting:
            pause_s = _SHORTEST_PAUSE_S if keyboard.give() else min(2 * pause_s, _LONGEST_PAUSE_S)
        ended = [] if command.status is not None else [command.fileno()]
        patience_s = 0 if not ended else pause_s if keyboard.waiting else None
        ready = select.select([*sources, *ended], [], [], patience_s)[0]
        if ended and ended[0] in ready:
            command.wait()
            keyboard.give_back()
            sources = [ours]
        if 0 in ready and command.status is None:
            typed = os.read(0, 4096)
            if typed:
                keyboard.take(typed)
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
