"""One transfer: what counts as having come through."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from testbed.result import Outcome
from testbed.timeline.fetch import Fetched, fetch
from testbed.timeline.values import Transfer
from testbed.tool import Via
from tests.testbed.timeline.pretended import EXIT, curl_said
from tests.testbed.workloads.on_this_machine import Ended

PHOTO = Transfer(name="photo", about="", host="media.example", bytes=5000, limit_s=4)
TUNNEL = Via(source="10.8.0.2", interface="tun0", exit=EXIT)


class _Host:
    """Answers every command with the same words."""

    def __init__(self, ended: Ended) -> None:
        self.ended = ended
        self.argv: list[str] = []

    def run(self, argv: Sequence[str], *, timeout: float | None = None, env: Mapping[str, str] | None = None) -> Ended:
        self.argv = list(argv)
        return self.ended


def _fetch(ended: Ended, via: Via | None = None, source: str = "") -> Fetched:
    return fetch(_Host(ended), PHOTO, address="203.0.113.30", limit_s=4, via=via, source=source)


def _changed(ended: Ended, **report: Any) -> Ended:
    heads, _, last = ended.stdout.rpartition("\n")
    return dataclasses.replace(ended, stdout=f"{heads}\n{json.dumps({**json.loads(last), **report})}")


def test_all_bytes_from_the_right_exit_have_come_through() -> None:
    got = _fetch(curl_said(5000), TUNNEL)
    assert (got.seen.outcome, got.seen.bytes, got.exit) == (Outcome.OK, 5000, EXIT)
    assert got.seen.goodput == pytest.approx(5000 * 8 / 0.02)


def test_what_came_past_the_tool_has_not() -> None:
    got = _fetch(curl_said(5000, exit="10.0.4.1"), TUNNEL)
    assert (got.seen.outcome, got.seen.failure) == (Outcome.BLOCKED, "unknown_failure: came past the tool")
    assert got.exit == "10.0.4.1"


def test_without_a_tool_it_does_not_matter_whence_one_comes() -> None:
    assert _fetch(curl_said(5000, exit="10.0.0.7"), source="10.0.0.7").seen.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("ended", "failure"),
    [
        (curl_said(5000, stuck=True), "generic_timeout_error"),
        (Ended(timed_out=True), "generic_timeout_error"),
        (curl_said(4000), "eof_error"),
        (curl_said(5000, status=503), "http_unexpected_status_code"),
        (_changed(curl_said(5000), exitcode=45, errormsg="bind failed"), "network_unreachable"),
        (_changed(curl_said(5000), exitcode=35, errormsg="Connection reset by peer"), "connection_reset"),
    ],
)
def test_whatever_else_happens_is_a_failure_with_its_name(ended: Ended, failure: str) -> None:
    got = _fetch(ended, TUNNEL)
    assert (got.seen.outcome, got.seen.failure) == (Outcome.BLOCKED, failure)
    assert got.seen.goodput is None


@pytest.mark.parametrize(
    "ended",
    [Ended(stdout="", status=127), _changed(curl_said(1), exitcode=2, errormsg="our mistake")],
)
def test_a_client_that_cannot_be_used_is_no_result(ended: Ended) -> None:
    assert _fetch(ended).seen.outcome is Outcome.NO_RESULT


def test_a_tunnel_is_bound_to_and_a_proxy_is_asked() -> None:
    host = _Host(curl_said(5000))
    fetch(host, PHOTO, address="203.0.113.30", limit_s=4, via=TUNNEL)
    assert "host!10.8.0.2" in host.argv
    assert "media.example:443:203.0.113.30" in host.argv
    assert host.argv[host.argv.index("--range") + 1] == "0-4999"
    assert host.argv[-1].startswith("https://media.example/")
    fetch(host, PHOTO, address="203.0.113.30", limit_s=4, via=Via(proxy="socks5h://127.0.0.1:1080", exit=EXIT))
    assert host.argv[host.argv.index("--proxy") + 1] == "socks5h://127.0.0.1:1080"
    assert "--interface" not in host.argv
