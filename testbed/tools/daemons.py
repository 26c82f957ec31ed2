"""A program of a tool that runs in the background on a lab host: started, watched, ended with all its children.

It runs in a process namespace of its own, because some daemons (sshd, ocserv) move their children out of every group:
when the first process ends, for whatever reason, the kernel ends the rest. Starts nothing again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence

from testbed import failure
from testbed.tool import Host, ToolError

#: seconds that a program may take to say goodbye to its peer
_GOODBYE_S = 2.0
_LOOK_S = 0.02
#: as much of the end of a log as people want to read
_LAST_WORDS = 600


class Daemon:
    """A running program; its output is kept in memory."""

    def __init__(
        self, host: Host, argv: Sequence[str], env: Mapping[str, str] | None = None, *, mounts: bool = False
    ) -> None:
        """Start it; raises ToolError. `mounts`: give it a mount namespace of its own."""
        self._program = argv[0].rpartition("/")[2]
        self._log = os.memfd_create(self._program)
        own = ["unshare", "--pid", "--fork", "--kill-child", *(["--mount"] if mounts else [])]
        try:
            self._command = host.start([*own, "--", *argv], env=env, stdout=self._log, stderr=self._log)
        except BaseException:
            os.close(self._log)
            raise
        self._said = ""
        if self._command.error:
            self.stop()
            raise ToolError(f"{self._program} could not be started on {host.name}: {self._command.error}")

    @property
    def pid(self) -> int:
        """To end it hard, kill this process."""
        return self._command.pid

    def alive(self) -> bool:
        return self._command.poll() is None

    def log(self) -> str:
        """All that it has said."""
        if self._log >= 0:
            size = os.fstat(self._log).st_size
            self._said = os.pread(self._log, size, 0).decode(errors="replace")
        return self._said

    def last_words(self) -> str:
        return self.log().strip()[-_LAST_WORDS:]

    def await_words(self, words: str, limit_s: float) -> None:
        """Wait until its log holds these words; raises ToolError if it ends first or takes too long."""
        end = time.monotonic() + limit_s
        while words not in self.log():
            if not self.alive():
                raise ToolError(f"{self._program} ended before it was ready: {self.last_words() or 'it said nothing'}")
            if time.monotonic() > end:
                said = self.last_words() or "nothing"
                raise ToolError(f"{self._program} was not ready within {limit_s:g} s; it last said: {said}")
            time.sleep(_LOOK_S)

    def stop(self) -> None:
        """Ask it to end, then end it; may be called again."""
        if self.alive():
            self._command.signal(signal.SIGTERM)
            self._command.wait(_GOODBYE_S)
        self._command.close()
        if self._log >= 0:
            self.log()
            os.close(self._log)
            self._log = -1


def why(log: str, words: Mapping[str, str], otherwise: str) -> str:
    """The failure that the end of a client's log names: by the tool's own words first, then by those of errno."""
    end = log[-_LAST_WORDS:]
    found = {end.rfind(text): name for text, name in words.items() if text in end}
    return found[max(found)] if found else failure.from_text(end) or otherwise
