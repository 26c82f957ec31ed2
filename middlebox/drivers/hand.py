"""A worker's process as its crew has it: started, asked, watched, and ended by its process id.

It does not know what a worker does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable

from middlebox.drivers.attach import AttachError
from middlebox.drivers.control import Message

#: seconds that a worker may take to answer: a change of policy goes through all of its flows
_PATIENCE_S = 30.0
#: seconds in which a worker that nobody asks any more writes what it holds
_END_S = 5.0
_LOOK_S = 0.002


class WorkerError(Exception):
    """A worker is gone, and with it the box; the message names it."""


class Hand:
    """One worker. `be`: what its process does, given its two sockets' numbers; the exit status."""

    def __init__(self, number: int, be: Callable[[int, int], int]) -> None:
        self.number = number
        self.asked, its_asked = socket.socketpair()
        self.watched, its_watched = socket.socketpair()
        self._heard = b""
        self._seen = b""
        self._status: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            self.close()
            _run(be, its_asked.detach(), its_watched.detach())
        its_asked.close()
        its_watched.close()
        self.asked.settimeout(_PATIENCE_S)
        self.watched.setblocking(False)

    def wait_ready(self) -> None:
        """Wait until it is; raises AttachError with what is against it."""
        try:
            said = self.heard()
        except WorkerError as error:
            raise AttachError(f"it did not start: {error}") from None
        if "error" in said:
            raise AttachError(str(said["error"]))

    def ask(self, request: Message) -> None:
        """Begin to ask; `heard` has to follow."""
        try:
            self.asked.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            raise self.gone() from None

    def heard(self) -> Message:
        """The answer to what was asked, which may be an error; raises WorkerError if there is none."""
        while b"\n" not in self._heard:
            try:
                heard = self.asked.recv(1 << 20)
            except TimeoutError:
                raise WorkerError(
                    f"worker {self.number} (process {self.pid}) has not answered for {_PATIENCE_S:.0f} s"
                ) from None
            except OSError:
                heard = b""
            if not heard:
                raise self.gone()
            self._heard += heard
        line, _, self._heard = self._heard.partition(b"\n")
        said: Message = json.loads(line)
        return said

    def watch(self) -> None:
        """Have its decisions told from now on."""
        with contextlib.suppress(OSError):  # if it is gone, that is found by asking
            self.watched.send(b'{"do": "watch"}\n')

    def decisions(self) -> list[bytes]:
        """The decisions that it has told since, each a line."""
        try:
            seen = self.watched.recv(1 << 20)
        except OSError:
            seen = b""
        *lines, self._seen = (self._seen + seen).split(b"\n")
        return [line + b"\n" for line in lines if line != b'{"watching": true}']

    def gone(self) -> WorkerError:
        """What is to be said of it when its process has ended, or ends now."""
        status = self._wait(_END_S)
        if status is None:
            how = "does not speak any more"
        elif status < 0:
            how = f"was ended by signal {-status} ({signal.Signals(-status).name})"
        else:
            how = f"ended with status {status}"
        return WorkerError(f"worker {self.number} (process {self.pid}) {how}")

    def wait_done(self) -> None:
        """Wait until it has ended as it should; raises WorkerError if it has not."""
        if self._wait(_PATIENCE_S) != 0:
            raise self.gone()

    def close(self) -> None:
        """Ask nothing more of it, by which it ends."""
        self.asked.close()
        self.watched.close()

    def end(self) -> None:
        """See it end, and end it if it does not by itself."""
        if self._wait(_END_S) is None:
            os.kill(self.pid, signal.SIGKILL)
            self._wait(_END_S)

    def _wait(self, seconds: float) -> int | None:
        """Its exit status (minus the number of a signal), once it has ended; None: it has not."""
        until = time.monotonic() + seconds
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > until:
                return None
            else:
                time.sleep(_LOOK_S)
        return self._status


def _run(be: Callable[[int, int], int], asked: int, watched: int) -> None:
    """The whole life of a worker's process, which never returns to what its crew was doing."""
    status = 3
    try:
        status = be(asked, watched)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
