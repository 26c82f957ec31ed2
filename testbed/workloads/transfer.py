"""What all transfers share: the job that `transfer_client` is given, and its report as an observation.

What came must be what was asked for, and through a tool it must have come out at that tool's relay; else there is no
success. Round trips and retransmissions are those of the sender's kernel: the client's own when it sends, the server's
(`tcp_witness`) when it fetches. Whether a success was slow is not said here; `judging` compares with the control.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from testbed import failure
from testbed.emulate.outside import LabError
from testbed.result import Outcome
from testbed.series import Series
from testbed.workload import Ask, Observation, Started, Target, Through, no_result
from testbed.workloads.dns import look_up

#: a transfer in which nothing has moved for so long has failed; TCP's pauses between retransmissions under a policer
#: of 128 kbit/s stay below it (0.2, 0.4, 0.8, 1.6, 3.2 s)
STALL_S = 8.0
INTERVAL_S = 0.1  #: between two looks at a transfer
_GRACE_S = 5.0  #: beyond the client's own limit; then it hangs, which is no result
_LAST_WORDS_S = 3.0  #: for the witness to print what it saw
LARGEST = "/object/10M"  #: on the lab's server; parts of it are asked for by ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a transfer."""

    method: str = "GET"
    path: str = LARGEST
    size: int = 0  #: bytes: of the range to fetch (0: all there is), or of the content to send
    offset: int = 0
    sha256: str = ""  #: of what must come, for content that is not the server's noise


def fetch(size: int, offset: int = 0) -> Step:
    return Step(size=size, offset=offset)


def send(size: int) -> Step:
    return Step(method="PUT", path="/upload", size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """What a player fetches."""

    ladder: tuple[float, ...]  #: bit/s, rising
    segment_s: float
    count: int
    most_ahead_s: float  #: of play that a player fetches in advance
    path: str = LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the client is told; the names are those of its JSON."""

    host: str
    port: int
    family: int
    source: str
    proxy: str
    where: bool  #: ask the server first where the connection comes from
    limit_s: float
    stall_s: float
    interval_s: float
    seconds: float  #: of content, which then is enough; 0: to the end
    again: bool  #: the steps over and over, until the seconds are over
    steps: tuple[Step, ...]
    video: Video | None = None  #: play this instead of the steps


def transfer(
    ask: Ask, steps: Iterable[Step], *, sends: bool = False, again: bool = False, video: Video | None = None
) -> Observation:
    """One transfer over one connection; `sends`: the content goes to the server."""
    job = Job(
        host=ask.target.host,
        port=443,
        family=ask.target.family,
        source=ask.bind,
        proxy=ask.proxy,
        where=ask.via is not None,
        limit_s=ask.limit_s,
        stall_s=min(STALL_S, ask.limit_s),
        interval_s=INTERVAL_S,
        seconds=ask.target.seconds,
        again=again,
        steps=tuple(steps),
        video=video,
    )
    script = Path(__file__).with_name("transfer_client.py")
    with Witness(ask, wanted=not sends) as witness:
        done = ask.host.run(
            [sys.executable, "-I", str(script), json.dumps(asdict(job))], timeout=ask.limit_s + _GRACE_S
        )
        flows = witness.said()
    if done.timed_out:
        return no_result(f"the client did not end {_GRACE_S:g} s after its own limit")
    try:
        report: dict[str, Any] = json.loads(done.stdout)
        return observe(ask, report, flows, sends=sends)
    except (ValueError, KeyError, TypeError):
        return no_result(f"the client gave no report (exit status {done.status}): {done.stderr[-200:]}")


class Asked(Protocol):
    """What is known of an attempt whose report is read, in a lab or in virtual time."""

    @property
    def target(self) -> Target: ...
    @property
    def via(self) -> Through | None: ...


def observe(ask: Asked, report: Mapping[str, Any], flows: Sequence[Mapping[str, Any]], *, sends: bool) -> Observation:
    """The client's report, and the server's, as what was seen."""
    where = str(report.get("where", ""))
    if ask.via is not None and where and where != ask.via.exit:
        return no_result(f"it went past the tool: the server saw {where}, the tool's exit is {ask.via.exit}")
    points = report["series"]
    series = Series(
        times_s=tuple(float(one[0]) for one in points),
        bytes=tuple(int(one[1]) for one in points),
        from_s=float(report.get("content_from_s", report["seconds"])),
    )
    if sends and ask.via is not None and ask.via.proxy:
        # the client's own TCP ends at the proxy beside it, which takes all there is: only the server's word counts
        series = Series(times_s=(series.from_s, series.end_s), bytes=(0, int(report["bytes"])), from_s=series.from_s)
    goodput = series.goodput(ask.target.skip_s)
    failed = report["ended"] == "failure"
    named, note = _failure(ask, str(report["stage"]), str(report["error"])) if failed else ("", "")
    if report["ended"] == "time" and not goodput:
        failed, named, note = True, failure.TIMEOUT, "its seconds were over, and nothing had come in the steady part"
    if ask.via is not None and not where and not failed:
        return no_result("the client did not say where its connection came out")
    steady_s = series.from_s + ask.target.skip_s
    if sends:
        tcp = report.get("tcp", {})
        looks = [(float(one[0]), int(one[2]), int(one[3])) for one in points]
        least, again, of = tcp.get("min_rtt_us", 0), tcp.get("retransmitted", 0), tcp.get("data_segments", 0)
    else:
        flow = _flow(ask, report, flows)
        began_s = float(report["began_monotonic_s"])
        looks = [(float(one[0]) - began_s, int(one[1]), int(one[2])) for one in flow.get("samples", ())]
        least, again, of = flow.get("min_rtt_us", 0), flow.get("retransmitted", 0), flow.get("data_segments", 0)
    usual = [rtt for when, rtt, _ in looks if rtt and when >= steady_s] or [rtt for _, rtt, _ in looks if rtt]
    delivered = Series(
        times_s=tuple(when for when, _, _ in looks), bytes=tuple(count for _, _, count in looks), from_s=series.from_s
    )
    return Observation(
        outcome=Outcome.BLOCKED if failed else Outcome.OK,
        failure=named,
        seconds=float(report["seconds"]),
        time_to_first_byte=report.get("first_byte_s"),
        goodput=None if failed else goodput,
        bytes=int(report["bytes"]),
        connect_s=report.get("connect_s"),
        tls_s=report.get("tls_s"),
        note=note,
        rtt_s=median(usual) / 1e6 if usual else None,
        min_rtt_s=least / 1e6 if least else None,
        retransmitted=again / of if of else None,
        exit_address=where,
        series=series,
        delivered=delivered if looks else None,
        steps_s=tuple(float(one) for one in report.get("steps_s", ())),
        segments=tuple((float(one[0]), float(one[1]), float(one[2])) for one in report.get("segments", ())),
    )


def _flow(ask: Asked, report: Mapping[str, Any], flows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The connection of this attempt: by its port, or behind a tool's address the one that carried most."""
    if ask.via is None:
        return next((one for one in flows if one["port"] == report.get("local_port")), {})
    return max(flows, key=lambda one: int(one["acked"]), default={})


def _failure(ask: Asked, stage: str, text: str) -> tuple[str, str]:
    """OONI's name of the failure, and a note for people."""
    if stage == "resolve" and isinstance(ask, Ask):  # in virtual time it is known
        why, note = look_up(ask)
        return (why or failure.DNS_TEMPORARY), f"{text}; asked again: {note or why or 'resolved'}"
    if stage == "status":
        return failure.HTTP_STATUS, text
    if stage == "content":
        return failure.unknown(text), text
    if "hostname mismatch" in text.lower():  # OpenSSL's words, which Python hands on
        return failure.SSL_INVALID_HOSTNAME, text
    named = failure.from_text(text) or (failure.SSL_FAILED if stage == "tls" else failure.unknown(f"{stage}: {text}"))
    return named, f"while it was in '{stage}': {text}"


class Witness:
    """Watches the server's end of an attempt, for as long as it is entered; without a server it has seen nothing."""

    def __init__(self, ask: Ask, *, wanted: bool = True) -> None:
        self._ask = ask
        self._wanted = wanted and ask.server is not None and bool(ask.peer)
        self._running: Started | None = None
        self._out = -1

    def __enter__(self) -> Witness:
        if self._wanted and self._ask.server is not None:
            script = Path(__file__).with_name("tcp_witness.py")
            words = [sys.executable, "-I", str(script), self._ask.peer, "6" if ":" in self._ask.peer else "4"]
            self._out = os.memfd_create("witness")
            self._running = self._ask.server.start([*words, str(INTERVAL_S)], stdout=self._out)
        return self

    def said(self) -> list[dict[str, Any]]:
        """End it; what it saw of each connection."""
        if self._running is None:
            return []
        self._running.signal(signal.SIGTERM)
        self._running.wait(_LAST_WORDS_S)
        text = os.pread(self._out, os.fstat(self._out).st_size, 0)
        try:
            found = json.loads(text)
        except ValueError:
            return []  # it was ended before it had begun
        return found if isinstance(found, list) else []

    def __exit__(self, *_: object) -> None:
        if self._running is not None:
            with suppress(LabError):
                self._running.close()
            os.close(self._out)
