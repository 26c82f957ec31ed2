"""The commands that clients run on the lab's hosts: one connection for each, which lives as long as the command.

Over the connection go the process id, signals to the command's process group, and its status at the end. A connection
that breaks ends its command.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from testbed.emulate.channel import Channel, Message
from testbed.emulate.kernel import Place, spawn

#: what shells say when a command is not there, or is but cannot be run
NOT_FOUND, NOT_RUNNABLE = 127, 126


class Jobs:
    """All running commands."""

    def __init__(self) -> None:
        self._by_pid: dict[int, Channel] = {}

    def channels(self) -> list[Channel]:
        return list(self._by_pid.values())

    def start(self, channel: Channel, request: Message, files: list[int], place: Place, env: Mapping[str, str]) -> bool:
        """Start a command as asked for; False if it could not be, which its client has then been told."""
        argv = [str(word) for word in request["argv"]]
        cwd = str(request["cwd"])
        try:
            if len(files) not in (3, 4) or not argv:
                raise OSError(0, "a command and three open files, or four with a terminal, are expected")
            if not Path(cwd).is_dir():
                raise OSError(0, f"the working directory '{cwd}' is not there in the lab")
            word = os.path.join(cwd, argv[0]) if "/" in argv[0] else argv[0]
            program = shutil.which(word, path=env.get("PATH"))
            if program is None:
                return _refuse(channel, argv[0], _status_without(word, env.get("PATH", "")))
            terminal = files[3] if len(files) == 4 else None
            stdio = (files[0], files[1], files[2])
            pid = spawn(argv, program=program, place=place, env=env, stdio=stdio, cwd=cwd, terminal=terminal)
        except OSError as error:
            channel.send({"error": f"{argv[0] if argv else ''}: {error.strerror}", "status": NOT_RUNNABLE})
            return False
        finally:
            for file in files:
                os.close(file)
        self._by_pid[pid] = channel
        channel.send({"pid": pid})
        return True

    def heard(self, channel: Channel) -> bool:
        """Take a client's word; False if it is gone and its command has been ended."""
        pid = next(pid for pid, other in self._by_pid.items() if other is channel)
        got = channel.receive()
        if got is None:
            _signal(pid, signal.SIGKILL)
            del self._by_pid[pid]
            return False
        message, files = got
        for file in files:
            os.close(file)
        _signal(pid, int(message["signal"]))
        return True

    def reaped(self, pid: int, status: int) -> Channel | None:
        """Tell the client of a command's end; returns its connection, or None if the child was no command."""
        channel = self._by_pid.pop(pid, None)
        if channel is None:
            return None
        with suppress(OSError):  # its client may go in this very moment
            channel.send({"status": 128 - status if status < 0 else status})
        return channel

    def end(self) -> None:
        for pid in self._by_pid:
            _signal(pid, signal.SIGKILL)


def _status_without(word: str, path: str) -> int:
    places = [word] if "/" in word else [f"{folder}/{word}" for folder in path.split(":")]
    return NOT_RUNNABLE if any(map(os.path.exists, places)) else NOT_FOUND


def _refuse(channel: Channel, word: str, status: int) -> bool:
    what = "command not found" if status == NOT_FOUND else "permission denied"
    channel.send({"error": f"{word}: {what}", "status": status})
    return False


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it may have ended just now
        os.killpg(pid, number)
