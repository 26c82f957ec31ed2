"""A lab host that is this machine: for tests of the clients' commands without a lab."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    status: int = 0
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    timed_out: bool = False


@dataclass(slots=True, kw_only=True)
class ThisMachine:
    """Runs commands here; `insert` goes right behind curl's name, to lead it to a server of the test."""

    insert: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, argv: Sequence[str], *, timeout: float | None = None, env: Mapping[str, str] | None = None) -> Ended:
        words = list(argv)
        if words[0] == "curl":
            words[2:2] = self.insert  # after -q, which must stay the first
        began = time.monotonic()
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=timeout, env={**os.environ, **self.env, **(env or {})}
        )
        return Ended(status=done.returncode, stdout=done.stdout, stderr=done.stderr, seconds=time.monotonic() - began)


@dataclass(slots=True, kw_only=True)
class Saying:
    """Says what it was told to say, and keeps what it was asked."""

    ended: Ended
    asked: list[list[str]] = field(default_factory=list)

    def run(self, argv: Sequence[str], *, timeout: float | None = None, env: Mapping[str, str] | None = None) -> Ended:
        self.asked.append(list(argv))
        return self.ended
