"""A server that a workload brings along, on the lab host that serves: one for all its attempts, ended after them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol, runtime_checkable

from testbed.emulate.outside import LabError
from testbed.workload import Server, Started

READY = b"ready"  #: what such a program says first on its standard output
_START_S = 20.0  #: for it to say so
_APART_S = 0.02


class Beside:
    """Runs a program there for as long as it is entered. Raises LabError if it does not become ready."""

    def __init__(self, server: Server, words: Sequence[str]) -> None:
        self._server, self._words = server, words
        self._out = -1
        self._running: Started | None = None

    def __enter__(self) -> Beside:
        self._out = os.memfd_create("beside")
        self._running = self._server.start(self._words, stdout=self._out)
        end_s = time.monotonic() + _START_S
        while not os.pread(self._out, len(READY), 0).startswith(READY):
            status = self._running.wait(_APART_S)
            if status is not None or time.monotonic() > end_s:
                self.__exit__(None, None, None)
                why = f"did not become ready in {_START_S:g} s" if status is None else f"ended with status {status}"
                raise LabError(f"{self._words[-2:]} on the serving host {why}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._running is not None:
            with suppress(LabError):
                self._running.close()
            self._running = None
        os.close(self._out)


@runtime_checkable
class Brings(Protocol):
    """A workload that brings a server along."""

    def serve(self, server: Server) -> Beside:
        """The server, to be entered before the first attempt."""
