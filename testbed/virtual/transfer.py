"""Transfers over HTTPS in virtual time, step by step as the lab's client makes them.

What a transfer was is said by the lab's own code (`testbed.workloads.transfer.observe`), from a report like its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from typing import Any

from simpy.events import Event

from testbed import pages
from testbed.result import Outcome
from testbed.simulate import http
from testbed.virtual.asking import Ask, Asking, rounded
from testbed.virtual.watched import CHUNK, EndError, TimeIsOverError, Watched
from testbed.workload import Observation
from testbed.workloads.transfer import Step, Video, observe
from testbed.workloads.transfer_client import Player

#: bytes that may wait in TCP before more is put in (TCP_NOTSENT_LOWAT in the lab), and how often that is looked at
_LOWAT, _APART_S = 131_072, 0.01
#: less than this is no rest: floats of seconds need not come to nothing
_REST_S = 1e-6


def by(steps: Callable[[Ask], Sequence[Step]], *, sends: bool = False) -> Callable[[Ask], Asking]:
    """An application that makes these steps."""
    return lambda ask: transfer(ask, steps(ask), sends=sends)


def transfer(
    ask: Ask, steps: Sequence[Step], *, sends: bool = False, again: bool = False, video: Video | None = None
) -> Asking:
    """One transfer over one connection; see `testbed.workloads.transfer.transfer`."""
    line = Watched(ask)
    report = line.report
    report.update(ended="all", stage="", error="")
    try:
        yield from _all(line, steps, again, video)
    except TimeIsOverError:
        report["ended"] = "time"
    except EndError as error:
        report.update(ended="failure", stage=error.stage, error=str(error))
    line.close()
    report.update(seconds=rounded(line.now_s), bytes=line.content)
    for name in ("connect_s", "tls_s", "first_byte_s"):
        if name in report:
            report[name] = rounded(report[name])
    if report["stage"] == "resolve":  # the failure's name is known: no program has to be asked for its words
        return Observation(outcome=Outcome.BLOCKED, failure=report["error"], seconds=report["seconds"])
    return observe(ask, report, [line.flow], sends=sends)


def _all(line: Watched, steps: Sequence[Step], again: bool, video: Video | None) -> Generator[Event, Any, None]:
    """Connect, and make all steps, over and over if need be, or play a video."""
    yield from line.connect()
    reader = http.Reader(line)
    if line.ask.via is not None:
        yield from _ask_where(line, reader)
    line.report["content_from_s"] = line.now_s
    if line.ask.target.seconds:
        line.stop_s = line.now_s + line.ask.target.seconds
    if video is not None:
        yield from _play(line, video, reader)
        return
    while True:
        for step in steps:
            asked_s = line.now_s
            yield from (_send if step.method == "PUT" else _fetch)(line, step, reader)
            line.report["steps_s"].append(rounded(line.now_s - asked_s))
        if not again:
            return


def _ask_where(line: Watched, reader: http.Reader) -> Generator[Event, Any, None]:
    """Where the connection comes out."""
    yield from line.send(_head(line, Step(path="/where"), ""))
    status, length = yield from _answer(line, reader)
    said = yield from _body(line, reader, length, counts=False)
    if status != 200:
        raise EndError("status", f"/where: HTTP status {status}")
    line.report["where"] = said.decode(errors="replace").strip()
    del line.report["first_byte_s"]


def _play(line: Watched, video: Video, reader: http.Reader) -> Generator[Event, Any, None]:
    """Fetch the segments of a video, not too far ahead of what is seen."""
    player = Player(asdict(video))
    line.report["segments"] = player.segments
    while (wanted := player.wanted()) is not None:
        rate, size, offset = wanted
        asked_s = line.now_s
        yield from _fetch(line, Step(path=video.path, size=size, offset=offset), reader)
        player.has(rate, size, asked_s, line.now_s)
        while (rest_s := player.too_far_s(line.now_s)) > _REST_S:
            line.rests()
            yield line.ask.lab.clock.wait(min(rest_s, line.wait("read")))


def _fetch(line: Watched, step: Step, reader: http.Reader) -> Generator[Event, Any, None]:
    """Fetch content, which must be the server's."""
    asked = f"Range: bytes={step.offset}-{step.offset + step.size - 1}\r\n" if step.size else ""
    came = line.secure.came
    yield from line.send(_head(line, step, asked))
    status, length = yield from _answer(line, reader)
    line.before, line.wanted, line.came_before = line.content, length, came
    fine = status in (200, 206)
    body = yield from _body(line, reader, length, counts=fine)
    line.wanted = 0
    if not fine:
        raise EndError("status", f"HTTP status {status}: {body[:100]!r}")
    if step.size and body != _noise()[step.offset : step.offset + step.size]:
        raise EndError("content", "the content is not what the server has")
    if step.sha256 and sha256(body).hexdigest() != step.sha256:
        raise EndError("content", "the page is not that of the asked host")


def _send(line: Watched, step: Step, reader: http.Reader) -> Generator[Event, Any, None]:
    """PUT content; what counts is what the other end has acknowledged, and its answer to the whole."""
    line.look()  # nothing of this has moved
    line.acked_before, line.before, line.put_in = line.acked, line.content, 0
    yield from line.send(_head(line, step, f"Content-Length: {step.size}\r\n"))
    line.counts_acks = True
    while line.put_in < step.size:
        if line.unsent < _LOWAT:
            part = _noise()[line.put_in : line.put_in + min(CHUNK, step.size - line.put_in)]
            yield from line.send(part)
            line.put_in += len(part)
        else:
            yield line.ask.lab.clock.wait(min(_APART_S, line.wait("write")))
    status, length = yield from _answer(line, reader)
    said = (yield from _body(line, reader, length, counts=False)).decode(errors="replace").strip()
    line.counts_acks = False
    if status != 200:
        raise EndError("status", f"HTTP status {status}: {said[:100]}")
    if said != f"received {step.size}":
        raise EndError("content", f"the server did not confirm {step.size} bytes: {said[:100]}")
    line.content = line.before + step.size


def _head(line: Watched, step: Step, fields: str) -> bytes:
    first = f"{step.method} {step.path} HTTP/1.1\r\nHost: {line.ask.target.host}\r\n"
    return f"{first}User-Agent: penstock\r\n{fields}\r\n".encode()


def _answer(line: Watched, reader: http.Reader) -> Generator[Event, Any, tuple[int, int]]:
    """Status and length of an answer."""
    try:
        head = yield from reader.head()
    except http.HttpError as error:
        raise EndError("read", str(error)) from None
    if head is None or head.length is None:
        raise EndError("read", "an answer without its length")
    line.report.setdefault("first_byte_s", line.now_s)
    line.report["status"] = int(head.words[1])
    return int(head.words[1]), head.length


def _body(line: Watched, reader: http.Reader, length: int, *, counts: bool) -> Generator[Event, Any, bytes]:
    parts: list[bytes] = []
    while length:
        part = yield from reader.some(length)
        length -= len(part)
        line.content += len(part) if counts else 0
        parts.append(part)
    return b"".join(parts)


@cache
def _noise() -> bytes:
    return pages.noise()
