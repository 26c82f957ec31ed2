"""What a client's report means: outcomes, rates, and whose round trips they are."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from testbed.result import Outcome
from testbed.tool import Via
from testbed.workload import Ask, Target
from testbed.workloads.transfer import fetch, observe, send, transfer
from tests.testbed.workloads.on_this_machine import Ended, Saying

TARGET = Target(name="down", about="", host="blocked.example", workload="download", listed=True, seconds=10, skip_s=1)
ASK = Ask(host=Saying(ended=Ended()), target=TARGET, limit_s=20, source="10.0.0.7", truth={})
VIA = Via(source="10.8.0.2", exit="198.51.100.201")

REPORT: dict[str, Any] = {
    "began_monotonic_s": 100.0,
    "local_port": 40000,
    "connect_s": 0.08,
    "tls_s": 0.12,
    "content_from_s": 0.2,
    "first_byte_s": 0.25,
    "seconds": 3.2,
    "bytes": 60_000,
    "ended": "all",
    "stage": "",
    "error": "",
    "series": [[0.2, 0, 40_000, 1], [1.2, 20_000, 50_000, 14], [2.2, 40_000, 60_000, 28], [3.2, 60_000, 60_000, 42]],
    "tcp": {"min_rtt_us": 39_000, "retransmitted": 2, "data_segments": 50},
}
FLOW: dict[str, Any] = {
    "port": 40000,
    "acked": 60_000,
    "min_rtt_us": 38_000,
    "retransmitted": 10,
    "data_segments": 40,
    "samples": [[100.3, 39_000, 2], [102.0, 300_000, 20], [103.0, 400_000, 40]],
}


def test_a_download_has_the_servers_round_trips_of_its_steady_part() -> None:
    seen = observe(ASK, REPORT, [{**FLOW, "port": 1, "acked": 10**9}, FLOW], sends=False)
    assert seen.outcome is Outcome.OK
    assert seen.goodput == pytest.approx(160_000)
    assert (seen.rtt_s, seen.min_rtt_s, seen.retransmitted) == (0.35, 0.038, 0.25)
    assert (seen.seconds, seen.bytes, seen.connect_s, seen.tls_s) == (3.2, 60_000, 0.08, 0.12)
    assert seen.series is not None
    assert seen.series.from_s == 0.2


def test_an_upload_has_the_clients_own() -> None:
    seen = observe(ASK, REPORT, [], sends=True)
    assert (seen.rtt_s, seen.min_rtt_s, seen.retransmitted) == (0.06, 0.039, 0.04)


def test_without_a_witness_a_download_has_no_round_trips() -> None:
    seen = observe(ASK, REPORT, [], sends=False)
    assert (seen.rtt_s, seen.min_rtt_s, seen.retransmitted) == (None, None, None)


def _failed(stage: str, error: str) -> dict[str, Any]:
    return {**REPORT, "ended": "failure", "stage": stage, "error": error}


@pytest.mark.parametrize(
    ("stage", "error", "failure"),
    [
        ("read", "Connection reset by peer", "connection_reset"),
        ("read", "unexpected eof", "eof_error"),
        ("read", "timed out: nothing moved for 8 s", "generic_timeout_error"),
        ("connect", "Connection refused", "connection_refused"),
        ("connect", "timed out", "generic_timeout_error"),
        (
            "tls",
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch",
            "ssl_invalid_hostname",
        ),
        ("tls", "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate in chain", "ssl_unknown_authority"),
        ("tls", "[SSL: WRONG_VERSION_NUMBER] wrong version number", "ssl_failed_handshake"),
        ("status", "HTTP status 403: b'no'", "http_unexpected_status_code"),
        (
            "content",
            "the content is not what the server has",
            "unknown_failure: the content is not what the server has",
        ),
        ("proxy", "the proxy refused with code 4", "unknown_failure: proxy: the proxy refused with code 4"),
    ],
)
def test_failures_carry_oonis_words(stage: str, error: str, failure: str) -> None:
    seen = observe(ASK, _failed(stage, error), [FLOW], sends=False)
    assert (seen.outcome, seen.failure, seen.goodput) == (Outcome.BLOCKED, failure, None)
    assert error in seen.note
    assert seen.bytes == 60_000


def test_a_name_that_does_not_resolve_is_asked_for_again() -> None:
    answer = ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1\n"
    ask = dataclasses.replace(ASK, host=Saying(ended=Ended(stdout=answer)))
    early = {
        name: value for name, value in _failed("resolve", "Name or service not known").items() if name != "connect_s"
    }
    seen = observe(ask, early, [], sends=False)
    assert (seen.outcome, seen.failure, seen.connect_s) == (Outcome.BLOCKED, "dns_nxdomain_error", None)


def test_what_did_not_come_out_at_the_tools_exit_is_no_result() -> None:
    ask = dataclasses.replace(ASK, via=VIA)
    assert (ask.bind, ask.peer, ask.proxy) == ("10.8.0.2", "198.51.100.201", "")
    through = observe(ask, {**REPORT, "where": "198.51.100.201"}, [FLOW], sends=False)
    assert (through.outcome, through.exit_address) == (Outcome.OK, "198.51.100.201")
    past = observe(ask, {**REPORT, "where": "10.0.0.1"}, [FLOW], sends=False)
    assert past.outcome is Outcome.NO_RESULT
    assert "the server saw 10.0.0.1" in past.note
    assert observe(ask, REPORT, [FLOW], sends=False).outcome is Outcome.NO_RESULT


def test_the_client_is_told_what_the_target_asks_for() -> None:
    host = Saying(ended=Ended(stdout=json.dumps(REPORT)))
    seen = transfer(dataclasses.replace(ASK, host=host), [fetch(1000, 5), send(2000)])
    assert seen.outcome is Outcome.OK
    (words,) = host.asked
    job = json.loads(words[-1])
    assert (job["host"], job["source"], job["seconds"], job["where"]) == ("blocked.example", "10.0.0.7", 10, False)
    first, second = job["steps"]
    assert (first["path"], first["size"], first["offset"]) == ("/object/10M", 1000, 5)
    assert (second["method"], second["path"], second["size"]) == ("PUT", "/upload", 2000)


def test_a_client_that_hangs_or_says_nothing_gives_no_result() -> None:
    for ended in (Ended(timed_out=True), Ended(status=1, stderr="boom"), Ended(stdout="{}")):
        seen = transfer(dataclasses.replace(ASK, host=Saying(ended=ended)), [fetch(1)])
        assert seen.outcome is Outcome.NO_RESULT
