"""A lab host that is not there: it keeps what it was asked to run, and says what it was told to say."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.testbed.workloads.on_this_machine import Ended


@dataclass(slots=True)
class Started:
    """A program that says something and runs, or has ended."""

    pid: int = 7
    error: str = ""
    status: int | None = None
    signals: list[int] = field(default_factory=list)

    def signal(self, number: int) -> None:
        self.signals.append(number)
        self.status = 128 + number

    def poll(self) -> int | None:
        return self.status

    def wait(self, timeout: float | None = None) -> int | None:
        return self.status

    def close(self) -> None:
        self.status = self.status if self.status is not None else 137


@dataclass(slots=True)
class Pretended:
    """The host."""

    ended: Ended = field(default_factory=Ended)
    name: str = "client"
    ipv4: str = "10.0.0.1"
    says: str = ""  #: what programs in the background say at once
    started: Started = field(default_factory=Started)
    asked: list[list[str]] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        input: str | bytes = b"",
    ) -> Ended:
        self.asked.append(list(argv))
        self.given.append(input.encode() if isinstance(input, str) else input)
        return self.ended

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> Started:
        self.asked.append(list(argv))
        self.given.append(b"")
        assert stdout is not None
        os.write(stdout, self.says.encode())
        return self.started

    def scripts(self) -> str:
        """All shell scripts that were run."""
        return "\n".join(words[2] for words in self.asked if words[:2] == ["sh", "-euc"])

    def files(self) -> dict[str, str]:
        """All files that were written to it."""
        found = {}
        for packed in self.given:
            if packed:
                with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
                    for entry in tar:
                        content = tar.extractfile(entry)
                        assert content is not None
                        found[entry.name] = content.read().decode()
        return found
