"""The few system calls that Python's library lacks (setns, mount), and the start of a process in a node.

Knows nothing of the lab: a node is here two open files, its network and its mount namespace.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSCTTY
from typing import NoReturn

from testbed.emulate.leader import lead

_LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000  # linux/sched.h
CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18  # linux/mount.h
_PR_SET_TIMERSLACK = 29  # linux/prctl.h


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def set_namespace(file: int, kind: int) -> None:
    """Move this process into the namespace that an open file stands for."""
    _checked(_LIBC.setns(file, kind), "setns")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """See mount(2)."""
    done = _LIBC.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _checked(done, f"mount {kind or source} on {target}")


def precise_timers() -> None:
    """Have this process woken within a microsecond of its timers instead of 50."""
    _checked(_LIBC.prctl(_PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0), "prctl(PR_SET_TIMERSLACK)")


class Place:
    """A node as the kernel sees it; keeps the namespaces open, so it outlives the node's processes."""

    __slots__ = ("mounts", "network")

    def __init__(self, pid: int) -> None:
        self.network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.mounts = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def enter(self) -> None:
        """Move this process there; its working directory becomes `/`."""
        set_namespace(self.network, CLONE_NEWNET)
        set_namespace(self.mounts, CLONE_NEWNS)


def spawn(
    argv: Sequence[str],
    *,
    program: str | None = None,
    place: Place | None = None,
    env: Mapping[str, str] | None = None,
    stdio: tuple[int, int, int],
    cwd: str = "/",
    terminal: int | None = None,
    keep: Sequence[int] = (),
) -> int:
    """Start a program in a node, in a session and process group of its own; return its process id.

    `program`: the file to run, if it is not `argv[0]`. `terminal`: standard input is a terminal that becomes the
    session's own, and what is left unread there goes into this file (see `leader`). `keep`: files that stay open.
    Raises OSError if the program cannot be started; `filename` tells what could not be entered or run.
    """
    environment = dict(os.environ if env is None else env)

    def start() -> NoReturn:
        if place is not None:
            place.enter()
        os.setsid()
        if terminal is not None:
            ioctl(stdio[0], TIOCSCTTY, 0)
            lead(stdio[0], terminal)
        high = [os.dup(file) for file in stdio]  # so that no dup2 overwrites one that is still needed
        for target, file in enumerate(high):
            os.dup2(file, target)
        for file in map(int, os.listdir("/proc/self/fd")):
            with suppress(OSError):  # the list's own file is closed by now
                os.set_inheritable(file, file < 3 or file in keep)
        os.chdir(cwd)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, programs rely on them
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvpe(program or argv[0], list(argv), environment)

    return fork(start)


def fork(do: Callable[[], None]) -> int:
    """Run `do` in a child process, return its id once it has ended or started a program.

    Raises in this process the OSError that `do` raised there.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            do()
            status = 0
        except OSError as error:
            name = os.fsencode(error.filename or "")
            os.write(write, struct.pack("!i", error.errno or 0) + name + b"\0" + str(error.strerror).encode())
            status = 127
        except BaseException as error:  # a child must never run on in its parent's code
            os.write(write, struct.pack("!i", 0) + b"\0" + f"{type(error).__name__}: {error}".encode())
            status = 127
        os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as report:
        said = report.read()
    if said:
        os.waitpid(pid, 0)
        name, _, text = said[4:].partition(b"\0")
        raise OSError(struct.unpack("!i", said[:4])[0], text.decode(), os.fsdecode(name) or None)
    return pid


def write_sysctl(name: str, value: str) -> None:
    """Set `net.ipv4.ip_forward` and the like in this process's network namespace; raises OSError."""
    Path("/proc/sys", *name.split(".")).write_text(value)
