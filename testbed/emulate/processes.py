"""The programs that run in the lab on the lab's own behalf: started, found ready, stopped, each by its process id.

Does not know what they do. A program that dies is remembered with its status; none is started again by itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from testbed.emulate.kernel import Place, spawn

#: between two looks at whether something has happened
_LOOK_S = 0.003


class ProcessError(Exception):
    """A program of the lab did not start or died."""


@dataclass(slots=True)
class Process:
    """One program; `status` is None while it runs."""

    name: str
    pid: int
    log: Path
    status: int | None = None
    wanted: bool = True  #: False once the lab itself has asked it to end

    def said(self) -> str:
        """The end of its log."""
        try:
            return self.log.read_text(errors="replace").strip()[-2000:]
        except OSError:
            return ""


class Processes:
    """All programs of the lab; its process 1 must hear of every child's end through `reaped`."""

    def __init__(self) -> None:
        self.by_name: dict[str, Process] = {}

    def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        place: Place | None,
        env: Mapping[str, str],
        log: Path,
        stdin: int | None = None,
        keep: Sequence[int] = (),
        urgent: bool = False,
    ) -> Process:
        """Start a program; its output and errors go to `log`.

        `urgent`: it stands in the packets' path, so it is scheduled first where the system allows that.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        errors = os.open(log, flags, 0o644)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        source = null if stdin is None else stdin
        try:
            pid = spawn(argv, place=place, env=env, stdio=(source, errors, errors), keep=keep)
        except OSError as error:
            raise ProcessError(f"{name}: cannot start {argv[0]}: {error.strerror}") from error
        finally:
            for file in (errors, null):
                os.close(file)
        if urgent:
            with suppress(PermissionError):  # in an ordinary user's lab it competes like any other process
                os.setpriority(os.PRIO_PROCESS, pid, -10)
        process = Process(name, pid, log)
        self.by_name[name] = process
        return process

    def reaped(self, pid: int, status: int) -> bool:
        """Note that a child has ended; False if it is none of these."""
        for process in self.by_name.values():
            if process.pid == pid and process.status is None:
                process.status = status
                return True
        return False

    def look(self) -> None:
        """Find out whether any has ended, while nobody else waits for children."""
        for process in self.by_name.values():
            if process.status is None:
                pid, status = os.waitpid(process.pid, os.WNOHANG)
                if pid:
                    process.status = os.waitstatus_to_exitcode(status)

    def wait_ready(self, signs: Mapping[str, Callable[[], bool]], timeout: float) -> None:
        """Wait until each named program shows its sign; raises ProcessError if one dies or takes too long."""
        left = dict(signs)
        end = time.monotonic() + timeout
        while left:
            self.look()
            for name, ready in list(left.items()):
                process = self.by_name[name]
                if process.status is not None:
                    raise ProcessError(f"{name} ended at once, status {process.status}: {process.said()}")
                if ready():
                    del left[name]
            if left and time.monotonic() > end:
                name = next(iter(left))
                said = self.by_name[name].said() or "nothing in its log"
                raise ProcessError(f"{name} was not ready within {timeout:.0f} s: {said}")
            if left:
                time.sleep(_LOOK_S)

    def stop(self, names: Sequence[str], timeout: float) -> list[str]:
        """Ask programs to end and wait; kill what does not. Returns the names of those that had to be killed."""
        going = [self.by_name[name] for name in names if name in self.by_name and self.by_name[name].status is None]
        for process in going:
            process.wanted = False
            os.kill(process.pid, signal.SIGTERM)
        end = time.monotonic() + timeout
        while any(process.status is None for process in going) and time.monotonic() < end:
            self.look()
            time.sleep(_LOOK_S)
        late = [process for process in going if process.status is None]
        for process in late:
            os.killpg(process.pid, signal.SIGKILL)
            process.status = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])
        return [process.name for process in late]

    def dead(self) -> list[str]:
        """What has ended without having been asked to."""
        self.look()
        return [process.name for process in self.by_name.values() if process.status is not None and process.wanted]

    def last_words(self) -> dict[str, str]:
        """The last line of each of `dead` that has said more than that it was ready."""
        logs = {name: self.by_name[name].said().splitlines() for name in self.dead()}
        return {name: lines[-1] for name, lines in logs.items() if lines and lines[-1] != "ready"}


def says(process: Process, word: str) -> Callable[[], bool]:
    """A sign of readiness: a word in the program's log."""
    return lambda: word in process.said()
