"""A page over HTTP/3, by aioquic at both ends: Debian's curl and nginx speak none.

No Alt-Svc is asked for, and TCP is not tried: a censor that blocks QUIC alone is seen, which browsers hide from people
by falling back.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from testbed import failure
from testbed.emulate.view import HOME
from testbed.pages import wrong_page
from testbed.result import Outcome
from testbed.workload import Ask, Observation, Server, Target, no_result, report_of
from testbed.workloads.beside import Beside
from testbed.workloads.dns import look_up
from testbed.workloads.web import came_out

_GRACE_S = 5.0


class WebH3:
    """`https://HOST/` over HTTP/3."""

    name = "web-h3"
    about = "a page over HTTP/3, by aioquic"
    protocol = "h3"
    says_name = True
    heavy = True
    fills = False

    def size(self, target: Target) -> int:
        return 0

    def serve(self, server: Server) -> Beside:
        """The server, on the host that serves."""
        script = Path(__file__).with_name("h3_server.py")
        return Beside(server, [sys.executable, "-I", str(script), str(HOME / server.name)])

    def measure(self, ask: Ask) -> Observation:
        seen = _observe(ask, _fetch(ask, "/"))
        if ask.via is None or seen.outcome is not Outcome.OK:
            return seen
        asked = _fetch(ask, "/where")
        if not isinstance(asked, dict) or asked["ended"] != "all":
            return no_result("the page came, but where it came out could not be asked")
        return came_out(seen, str(asked["body"]).strip(), ask.via.exit)


def _fetch(ask: Ask, path: str) -> dict[str, Any] | Observation:
    """The client's report, or why there is none."""
    script = Path(__file__).with_name("h3_client.py")
    words = [
        sys.executable,
        "-I",
        str(script),
        ask.target.host,
        path,
        str(ask.target.family),
        str(ask.limit_s),
        ask.bind,
    ]
    return report_of(ask.host.run(words, timeout=ask.limit_s + _GRACE_S), _GRACE_S)


def _observe(ask: Ask, report: dict[str, Any] | Observation) -> Observation:
    if isinstance(report, Observation):
        return report
    why, note = _failure(ask, report)
    body = str(report["body"])
    if not why:
        why = wrong_page(ask.target.host, int(report["status"]), body)
        note = f"{body[:120]!r}" if why else ""
    seconds, connect_s = float(report["seconds"]), report.get("connect_s")
    size = len(body.encode())
    return Observation(
        outcome=Outcome.BLOCKED if why else Outcome.OK,
        failure=why,
        seconds=seconds,
        time_to_first_byte=report.get("first_byte_s"),
        goodput=size * 8 / seconds if report["ended"] == "all" else None,
        bytes=size if report["ended"] == "all" else None,
        connect_s=connect_s,
        tls_s=connect_s,  # one handshake for both
        note=note,
    )


def _failure(ask: Ask, report: dict[str, Any]) -> tuple[str, str]:
    """OONI's name of the failure, and a note for people."""
    ended, reason = str(report["ended"]), str(report["reason"])
    if ended == "all":
        return "", ""
    if ended == "time":
        return failure.TIMEOUT, ""
    if ended == "resolve":
        why, note = look_up(ask)
        return why or failure.DNS_TEMPORARY, f"{reason}; asked again: {note or why or 'resolved'}"
    if ended == "closed":
        return failure.from_quic(int(report["code"]), reason), reason
    return failure.from_text(reason) or failure.unknown(reason), reason
