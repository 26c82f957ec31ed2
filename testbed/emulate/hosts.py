"""The hosts of a running lab, and what comes back from the commands that are run on them.

A host's command sees the lab's network, DNS and certificates, and the caller's files. Nothing here builds a lab.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from testbed.emulate.outside import Command, LabError, Line

#: after a command's end, its children may still hold its output open: seconds to wait for what they write
_LAST_WORDS_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    status: int  #: exit status; 128 + n if signal n ended it; 126 and 127 if it could not be started
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    output: bytes = b""  #: `stdout` as it came


class Host:
    """One host of a running lab."""

    def __init__(self, line: Line, name: str, role: str, ipv4: str, ipv6: str) -> None:
        self._line = line
        self.name = name
        self.role = role
        self.ipv4 = ipv4
        self.ipv6 = ipv6

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        input: str | bytes = b"",  # subprocess.run calls it so
    ) -> Done:
        """Run a command and wait for it; after `timeout` seconds it and its children are killed.

        `env` is added to the caller's environment, of which variables that lead out of the lab (proxies, other
        bundles of certificates) are left out. Raises LabError if the lab ends meanwhile.
        """
        given = input.encode() if isinstance(input, str) else input
        source = os.memfd_create("stdin")
        os.write(source, given)
        os.lseek(source, 0, os.SEEK_SET)
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        begin = time.monotonic()
        try:
            command = self._line.run(self.name, argv, stdio=(source, out_end, err_end), env=_merged(env), cwd=_cwd(cwd))
        except BaseException:
            os.close(out)
            os.close(err)
            raise
        finally:
            for file in (source, out_end, err_end):
                os.close(file)
        try:
            parts = {out: bytearray(), err: bytearray()}
            seconds, late = _collect(command, parts, begin, timeout)
        finally:
            command.close()
            os.close(out)
            os.close(err)
        said = parts[err].decode(errors="replace")
        return Done(
            status=command.wait() or 0,
            stdout=parts[out].decode(errors="replace"),
            stderr=said + (f"{command.error}\n" if command.error else ""),
            seconds=seconds,
            timed_out=late,
            output=bytes(parts[out]),
        )

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        stdin: int | None = None,
        terminal: int | None = None,
    ) -> Command:
        """Start a command in the background; it is killed when the returned Command is closed or the lab ends.

        Its standard files are open files of this process, by number; what is not given is /dev/null. `terminal`: the
        input is a terminal that is to be the command's own; a file for what the command leaves unread there.
        """
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            files = [null if file is None else file for file in (stdin, stdout, stderr)]
            stdio = (files[0], files[1], files[2])
            return self._line.run(self.name, argv, stdio=stdio, env=_merged(env), cwd=_cwd(cwd), terminal=terminal)
        finally:
            os.close(null)

    def __repr__(self) -> str:
        return f"Host({self.name!r}, {self.ipv4 or 'router'})"


def _merged(env: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(env or {})}


def _cwd(cwd: str | Path | None) -> str:
    return os.path.abspath(cwd) if cwd is not None else os.getcwd()


def _collect(command: Command, parts: dict[int, bytearray], begin: float, timeout: float | None) -> tuple[float, bool]:
    """Read the command's output until it has ended; return how long it took, and whether it had to be killed."""
    late = False
    end = None if timeout is None else begin + timeout
    seconds, stop = time.monotonic() - begin, time.monotonic() + _LAST_WORDS_S  # if it could not even be started
    with selectors.DefaultSelector() as selector:
        for file in parts:
            os.set_blocking(file, False)
            selector.register(file, selectors.EVENT_READ)
        if command.status is None:
            selector.register(command.fileno(), selectors.EVENT_READ)
        waits_for = command.fileno() if command.status is None else -1
        while True:
            now = time.monotonic()
            if end is not None and now >= end and command.status is None:
                command.signal(signal.SIGKILL)
                late, end = True, None
            left = None if end is None else max(0.0, end - now)
            if command.status is not None:
                left = max(0.0, stop - time.monotonic())
            for key, _ in selector.select(left):
                if key.fd == waits_for:
                    selector.unregister(key.fd)
                    command.wait()
                    seconds = time.monotonic() - begin
                    stop = time.monotonic() + _LAST_WORDS_S
                elif not _read(key.fd, parts[key.fd]):
                    selector.unregister(key.fd)
            open_files = len(selector.get_map()) - (command.status is None)
            if command.status is not None and (not open_files or time.monotonic() >= stop):
                return seconds, late


def _read(file: int, into: bytearray) -> bool:
    """Read what there is; False at the end of the file."""
    try:
        part = os.read(file, 1 << 16)
    except BlockingIOError:
        return True
    into += part
    return bool(part)


class Conversation:
    """A connection to a box's control socket: JSON lines there and back."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._heard = b""

    def ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        """One request, one answer; raises LabError if the box refuses it, OSError if it is gone."""
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        answer = self.hear()
        if "error" in answer:
            raise LabError(f"the box: {answer['error']}")
        return answer

    def waiting(self, timeout: float | None) -> bool:
        """Wait until the box says something; False if it does not within `timeout` seconds."""
        return b"\n" in self._heard or bool(select.select([self._socket], [], [], timeout)[0])

    def hear(self, timeout: float | None = 30.0) -> dict[str, Any]:
        """The next line that the box says; raises OSError if it is gone or says nothing for `timeout` seconds."""
        self._socket.settimeout(timeout)
        while b"\n" not in self._heard:
            part = self._socket.recv(1 << 16)
            if not part:
                raise ConnectionResetError("the box is gone")
            self._heard += part
        line, _, self._heard = self._heard.partition(b"\n")
        heard = json.loads(line)
        if not isinstance(heard, dict):
            raise LabError(f"the box said {heard!r}; a JSON object is expected")
        return heard

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
