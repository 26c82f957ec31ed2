"""What a live box leaves on disk beside its capture: the decision log and the sidecar that replay reads.

It formats and writes; what is worth a line is for the box to say.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from middlebox.verdict import Decision


class DecisionLog:
    """`decisions.jsonl`: a JSON object a line. Several boxes may write to the same file."""

    __slots__ = ("_file", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, line: bytes) -> None:
        """Append one line by one write, so that no other box's line and no kill falls into it. Raises OSError."""
        written = os.write(self._file, line)
        if written != len(line):
            raise OSError(
                f"{self._path}: only {written} of a line's {len(line)} bytes were written (is the disk full?)"
            )

    def close(self) -> None:
        os.close(self._file)


def line(decision: Decision, box: str) -> bytes:
    """A decision as its line of the log."""
    return json.dumps(decision.row(box)).encode() + b"\n"


def worker_name(box: str, number: int) -> str:
    """What a worker's files and its decisions are named after."""
    return f"{box}.{number}"


_OF_WORKER = re.compile(r"(?P<box>.+)\.\d+\.jsonl")


def decisions(folder: Path) -> list[dict[str, Any]]:
    """All decisions that are on disk, also while boxes run: `decisions.jsonl`, and what workers have for it."""
    said = _lines(folder / "decisions.jsonl")
    waiting: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.jsonl")):
        found = _OF_WORKER.fullmatch(path.name)
        if found and not (folder / f"{found['box']}.pcap").exists():  # which `merging` writes last
            waiting += _lines(path)
    return said + sorted(waiting, key=lambda one: int(one["t_ns"]))


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log; what a box leaves that is killed while it writes is none."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


class Sidecar:
    """`NAME.json` beside `NAME.pcap`: what a replay needs beside the packets to decide the same again."""

    __slots__ = ("_changes", "_path", "_phases", "_said")

    def __init__(self, path: Path, *, box: str, seed: int, policy: str, policy_text: str) -> None:
        self._path = path
        self._phases: list[dict[str, str | int]] = []
        self._changes: list[dict[str, str | int]] = []
        self._said: dict[str, object] = {
            "box": box,
            "seed": seed,
            "policy": policy,
            "policy_text": policy_text,
            "phases": self._phases,
            "changes": self._changes,
        }
        self.write()

    def enter(self, phase: str, *, before_packet: int, t_ns: int) -> None:
        """Record that the run entered a phase before the packet of this number."""
        self._phases.append({"phase": phase, "before_packet": before_packet, "t_ns": t_ns})
        self.write()

    def change(self, *, policy: str, policy_text: str, before_packet: int, t_ns: int) -> None:
        """Record that the box went on under another policy before the packet of this number."""
        said: dict[str, str | int] = {"policy": policy, "policy_text": policy_text}
        self._changes.append(said | {"before_packet": before_packet, "t_ns": t_ns})
        self.write()

    def write(self) -> None:
        """Replace the file at once: a reader finds the old one or the new one, whole."""
        fresh = self._path.with_name(f".{self._path.name}.new")
        fresh.write_text(json.dumps(self._said, indent=1) + "\n", encoding="utf-8")
        fresh.replace(self._path)
