"""Puts together what a box's workers have left: one capture in the order of time, and one log with its numbers.

The workers' own files stay as they are. Flows do not touch across workers, so one engine decides on the whole as the
workers did on their parts.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from middlebox.drivers.log import worker_name

_HEADER = 24
_RECORD = struct.Struct("<IIII")  # seconds, nanoseconds, captured, original: as `capture.Writer` writes them


def merge(folder: Path, name: str, workers: int) -> int:
    """Write `NAME.pcap` and the box's lines of `decisions.jsonl`; how many packets there were. Raises OSError.

    The capture comes last: while it is not there, the workers' logs are what has been decided (`log.decisions`).
    """
    parts = [worker_name(name, number) for number in range(workers)]
    fresh = folder / f".{name}.pcap.new"
    numbers = [array("Q") for _ in parts]
    count = 0
    with contextlib.ExitStack() as stack:
        captures = [stack.enter_context((folder / f"{part}.pcap").open("rb")) for part in parts]
        file = stack.enter_context(fresh.open("wb"))
        headers = [capture.read(_HEADER) for capture in captures]  # all the same
        file.write(headers[0])
        for _, place, record in heapq.merge(*(_records(capture, place) for place, capture in enumerate(captures))):
            file.write(record)
            numbers[place].append(count)
            count += 1
    decided: list[tuple[int, str]] = []
    for part, known in zip(parts, numbers, strict=True):
        for line in (folder / f"{part}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):  # else what was written when a worker was killed
                one = json.loads(line)
                one["box"], one["packet"] = name, known[one["packet"]]
                decided.append((one["packet"], json.dumps(one) + "\n"))
    decided.sort()
    _append(folder / "decisions.jsonl", "".join(line for _, line in decided).encode())
    fresh.replace(folder / f"{name}.pcap")
    return count


def _records(capture: BinaryIO, place: int) -> Iterator[tuple[int, int, bytes]]:
    """Time, `place` and bytes of each whole record of a capture of ours, read on from its header."""
    while len(head := capture.read(_RECORD.size)) == _RECORD.size:
        seconds, nanoseconds, size, _ = _RECORD.unpack(head)
        packet = capture.read(size)
        if len(packet) < size:
            return
        yield seconds * 1_000_000_000 + nanoseconds, place, head + packet


def _append(path: Path, data: bytes) -> None:
    """Append whole lines at once: other boxes may write to the same file."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while data:
            data = data[os.write(file, data) :]
    finally:
        os.close(file)
