"""The caller's end of a lab: starts the holder in fresh namespaces, finds running labs, asks and runs things in them.

Changes nothing of the caller's own process: no namespace, no environment, no signal handler.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from testbed.emulate.channel import Channel, Message
from testbed.emulate.namespaces import unshare_command, why_ended
from testbed.emulate.setup import Setup

#: seconds from the start of the holder until the lab stands, on a machine that is itself emulated
_START_S = 300.0
#: seconds for a lab to end in order: a little more than the lab itself gives its programs
_STOP_S = 25.0


class LabError(Exception):
    """The lab could not be built, or is gone; the message is for people."""


def _prefix() -> str:
    return f"penstock-{os.geteuid()}-"


def running() -> list[str]:
    """The names of this user's labs that others may join."""
    found = []
    for line in Path("/proc/net/unix").read_text().splitlines():
        name = line.rpartition(" ")[2]
        if name.startswith("@" + _prefix()):
            found.append(name[1 + len(_prefix()) :])
    return sorted(set(found))


class Line:
    """A lab as its clients reach it: by an abstract Unix socket, which leaves no file and ends with the lab."""

    def __init__(self, name: str) -> None:
        self.name = name

    def connect(self) -> Channel:
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connected.connect(f"\0{_prefix()}{self.name}")
        except OSError as error:
            connected.close()
            raise LabError(f"lab {self.name} is gone") from error
        _, uid, _ = struct.unpack("iII", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid != os.geteuid():
            connected.close()
            raise LabError(f"lab {self.name} belongs to another user")
        return Channel(connected)

    def ask(self, message: Message) -> tuple[Message, list[int]]:
        """One request, one answer; raises LabError with what the lab says against it."""
        channel = self.connect()
        try:
            channel.send(message)
            got = channel.receive()
        except OSError:
            got = None
        finally:
            channel.close()
        if got is None:
            raise LabError(f"lab {self.name} ended before it answered")
        if "error" in got[0]:
            raise LabError(str(got[0]["error"]))
        return got

    def run(
        self,
        host: str,
        argv: Sequence[str],
        *,
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
        cwd: str,
        terminal: int | None = None,
    ) -> Command:
        """Start a command on a lab host; its standard files are the given ones themselves.

        `terminal`: the first of them is a terminal, to be the command's own; a file for what it leaves unread there.
        """
        channel = self.connect()
        request: Message = {"do": "run", "host": host, "argv": list(argv), "env": dict(env), "cwd": cwd}
        try:
            channel.send(request, stdio if terminal is None else (*stdio, terminal))
            got = channel.receive()
        except OSError:
            got = None
        if got is None:
            channel.close()
            raise LabError(f"lab {self.name} ended before it answered")
        if "status" not in got[0] and "pid" not in got[0]:
            channel.close()
            raise LabError(str(got[0].get("error")))
        return Command(channel, got[0])


class Command:
    """A command on a lab host; it is killed if it is closed before its end."""

    def __init__(self, channel: Channel, answer: Message) -> None:
        self._channel = channel
        #: its process, by the lab's own counting; 0 if it could not be started
        self.pid = int(answer.get("pid", 0))
        #: its exit status, 128 + n for signal n; None while it runs
        self.status: int | None = answer.get("status")
        #: why it could not be started; "" if it was
        self.error = str(answer.get("error", ""))
        if self.status is not None:
            channel.close()

    def fileno(self) -> int:
        return self._channel.fileno()

    def signal(self, number: int) -> None:
        """Send a signal to the command and its children."""
        if self.status is None:
            with suppress(OSError):  # if the lab is gone, so is the command
                self._channel.send({"signal": int(number)})

    def poll(self) -> int | None:
        """The status, if the command has ended."""
        return self.wait(0.0)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end; None if it has not come after `timeout` seconds. Raises LabError if the lab ends first."""
        if self.status is None:
            poller = select.poll()
            poller.register(self._channel.fileno(), select.POLLIN)
            if not poller.poll(None if timeout is None else timeout * 1000):
                return None
            got = self._channel.receive()
            self._channel.close()
            if got is None:
                self.status = 128 + signal.SIGKILL
                raise LabError("the lab ended before the command did")
            self.status = int(got[0]["status"])
        return self.status

    def close(self) -> None:
        """Let go; a command that still runs is killed."""
        if self.status is None:
            self.status = 128 + signal.SIGKILL
            self._channel.close()


class Holding(Line):
    """A lab that this process has started and that ends with it."""

    def __init__(self, setup: Setup) -> None:
        placeholders = _fill_standard_files()
        listener, name = _listen()
        super().__init__(name)
        ours, theirs = socket.socketpair()
        self._line = Channel(ours)
        self._errors = os.memfd_create("holder")
        self._last_words = ""
        source = os.memfd_create("setup")
        os.write(source, pickle.dumps(setup))
        os.lseek(source, 0, os.SEEK_SET)
        caller = _pidfd()
        files = [theirs.fileno(), listener.fileno(), caller]
        argv = [*unshare_command(), sys.executable, "-m", "testbed.emulate.holder", *map(str, files)]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=source,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[file for file in files if file >= 0],
                env=_clean(os.environ)
                | {"PATH": setup.path, "PYTHONPATH": setup.python_path, "PYTHONWARNINGS": "ignore"},
                start_new_session=True,  # Ctrl-C is for the caller, who decides
                cwd="/",
            )
        except BaseException:
            self._line.close()
            os.close(self._errors)
            raise
        finally:
            os.close(source)
            theirs.close()
            listener.close()
            for file in [caller, *placeholders]:
                if file >= 0:
                    os.close(file)
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def _await_ready(self) -> None:
        end = time.monotonic() + _START_S
        while True:
            self._line.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                got = self._line.receive()
            except TimeoutError:
                raise LabError(f"the lab was not up within {_START_S:.0f} s: {self.said() or 'no error'}") from None
            if got is None:
                raise LabError(why_ended(self._process.wait(), self.said()))
            message = got[0]
            if "error" in message:
                raise LabError(str(message["error"]))
            if "ready" in message:
                self._line.socket.settimeout(None)
                return

    def said(self) -> str:
        """The end of what the holder wrote on its standard error."""
        if self._errors < 0:
            return self._last_words
        size = os.fstat(self._errors).st_size
        return os.pread(self._errors, 3000, max(0, size - 3000)).decode(errors="replace").strip()

    @property
    def pid(self) -> int:
        """The process outside the namespaces that stands for the whole lab."""
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """End the lab, and wait until it is gone."""
        self._line.close()  # the holder's signal to end in order
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # and the kernel kills its child, process 1 of the lab
            self._process.wait()
        if self._errors >= 0:
            self._last_words = self.said()
            os.close(self._errors)
            self._errors = -1


def _listen() -> tuple[socket.socket, str]:
    """A listening abstract socket in the caller's network namespace: the holder inherits it and serves it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    for number in range(1000):
        name = f"{os.getpid()}" + (f".{number}" if number else "")
        try:
            listener.bind(f"\0{_prefix()}{name}")
        except OSError:
            continue
        listener.listen(64)
        return listener, name
    listener.close()
    raise LabError("no free name for the lab's socket")


def _fill_standard_files() -> list[int]:
    """Open /dev/null where the caller has closed a standard file: what is inherited must not take its number."""
    opened = [os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)]
    while opened[-1] < 3:
        opened.append(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC))
    return opened


def _pidfd() -> int:
    """An open file that tells the holder when this process is gone; -1 on kernels before 5.3."""
    try:
        return os.pidfd_open(os.getpid())
    except OSError:
        return -1  # the closed line tells it too, unless a forked child keeps it open


def _clean(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what changes how Python starts."""
    return {name: value for name, value in env.items() if not name.startswith(("PYTHON", "LD_"))}
