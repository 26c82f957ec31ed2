"""The leader of a terminal's session on a lab host: it outlives the command, and saves what the command did not read.

When a session's leader ends, the kernel hangs the terminal up and throws away what was typed and not read yet. So the
command is the leader's child. Nothing else is done to what passes.
"""

from __future__ import annotations

import fcntl
import os
import signal
import termios
from contextlib import suppress

#: the first byte of the file of what was left unread: the command has ended, and nothing more may be typed
ENDED = b"\0"
#: how the end of the input, which a terminal keeps as a NUL, is written among what was left unread
END_OF_INPUT = b"\x04"

_TYPED = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)  # Ctrl-C, Ctrl-\, Ctrl-Z
_KEYS = (*_TYPED, signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP, signal.SIGTERM)


def lead(terminal: int, unread: int) -> None:
    """Go on as the leader's child, which becomes the command. The leader ends with the command's status.

    To be called by the leader of a session whose terminal is `terminal`. In the file `unread` the command's end is
    marked, and what it left unread follows; whoever types into the terminal locks the file (lockf) while he does.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _KEYS}
    pid = os.fork()
    if pid == 0:
        for number, handler in before.items():
            # whoever started us from a script may have us ignore the keys: on a terminal they are a person's
            signal.signal(number, signal.SIG_DFL if number in _TYPED else handler)
        return
    status = 127
    try:
        for file in map(int, os.listdir("/proc/self/fd")):
            if file not in (terminal, unread):
                with suppress(OSError):  # the list's own file is closed by now
                    os.close(file)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        _save(terminal, unread)
    finally:
        os._exit(status if status >= 0 else 128 - status)


def _save(terminal: int, unread: int) -> None:
    fcntl.lockf(unread, fcntl.LOCK_EX)  # until this process ends
    os.write(unread, ENDED)
    os.tcsetpgrp(terminal, os.getpgrp())
    settings = termios.tcgetattr(terminal)
    settings[3] &= ~termios.ICANON  # lines without their end are to be read too
    settings[6][termios.VMIN] = settings[6][termios.VTIME] = 0
    termios.tcsetattr(terminal, termios.TCSANOW, settings)
    while part := os.read(terminal, 4096):
        os.write(unread, part.replace(b"\0", END_OF_INPUT))
