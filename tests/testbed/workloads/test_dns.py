"""dig's output, as dig 9.18 prints it, read as OONI's failures."""

import pytest

from testbed.result import Outcome
from testbed.workload import Ask, Target
from testbed.workloads.dns import Dns, addresses
from tests.testbed.workloads.on_this_machine import Ended, Saying

ANSWERED = """
; <<>> DiG 9.18.33-1~deb12u2-Debian <<>> -u +tries=1 +time=3 blocked.example A
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 47093
;; flags: qr aa rd ra; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;blocked.example.\t\tIN\tA

;; ANSWER SECTION:
blocked.example.\t0\tIN\tA\t{}

;; Query time: 40312 usec
;; SERVER: 198.51.100.53#53(198.51.100.53) (UDP)
;; WHEN: Thu Jan 01 00:00:00 UTC 2026
;; MSG SIZE  rcvd: 60
"""
EMPTY = ANSWERED.replace("blocked.example.\t0\tIN\tA\t{}\n", "")
NOBODY = """
; <<>> DiG 9.18.33-1~deb12u2-Debian <<>> blocked.example A
;; global options: +cmd
;; no servers could be reached
"""
TIMED_OUT = ";; communications error to 198.51.100.53#53: timed out\n" + NOBODY
TRUTH = {"blocked.example": ("203.0.113.10", "2001:db8:a::10"), "other.example": ("203.0.113.99",)}


def _ask(output: str, status: int = 0, family: int = 4) -> Ask:
    target = Target(name="name", about="a name", host="blocked.example", workload="dns", listed=True, family=family)
    host = Saying(ended=Ended(status=status, stdout=output))
    return Ask(host=host, target=target, limit_s=3, source="10.0.0.9", truth=TRUTH)


def test_the_true_address_is_ok_with_the_time_that_dig_measured() -> None:
    seen = Dns().measure(_ask(ANSWERED.format("203.0.113.10")))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
    assert seen.seconds == pytest.approx(0.040312)
    assert seen.bytes == 60


@pytest.mark.parametrize(
    ("forged", "failure"),
    [
        ("10.10.34.35", "dns_bogon_error"),
        ("8.7.198.46", "unknown_failure: forged DNS answer"),
        ("203.0.113.99", "unknown_failure: forged DNS answer"),  # another server of the lab is no bogon in it
    ],
)
def test_a_false_address_is_blocked_and_named(forged: str, failure: str) -> None:
    seen = Dns().measure(_ask(ANSWERED.format(forged)))
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, failure)
    assert forged in seen.note


@pytest.mark.parametrize(
    ("output", "status", "failure"),
    [
        (EMPTY.replace("NOERROR", "NXDOMAIN"), 0, "dns_nxdomain_error"),
        (EMPTY.replace("NOERROR", "REFUSED"), 0, "dns_refused_error"),
        (EMPTY.replace("NOERROR", "SERVFAIL"), 0, "dns_servfail_error"),
        (EMPTY, 0, "dns_no_answer"),
        (TIMED_OUT, 9, "generic_timeout_error"),
        (";; communications error to 198.51.100.53#53: connection refused\n" + NOBODY, 9, "connection_refused"),
    ],
)
def test_failures_get_oonis_names(output: str, status: int, failure: str) -> None:
    seen = Dns().measure(_ask(output, status))
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, failure)


def test_a_dig_that_cannot_run_is_no_result() -> None:
    assert Dns().measure(_ask("", 127)).outcome is Outcome.NO_RESULT


def test_aaaa_is_asked_for_over_ipv4_from_the_given_address() -> None:
    ask = _ask(EMPTY, family=6)
    Dns().measure(ask)
    assert isinstance(ask.host, Saying)
    (words,) = ask.host.asked
    assert words[-2:] == ["blocked.example", "AAAA"]
    assert words[words.index("-b") + 1] == "10.0.0.9"


def test_only_address_records_are_addresses() -> None:
    text = "a.example.\t0\tIN\tCNAME\tb.example.\nb.example.\t0\tIN\tAAAA\t2001:db8::1\n;c.example.\tIN\tA\n"
    assert addresses(text) == ["2001:db8::1"]
