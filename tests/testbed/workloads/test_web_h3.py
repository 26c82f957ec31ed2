"""A page over HTTP/3 in a lab: the page, the names of its failures, and what a censor of QUIC does to it."""

from __future__ import annotations

import pytest

from testbed import failure
from testbed.lab import Lab
from testbed.result import Outcome
from testbed.workloads.web_h3 import WebH3
from tests.testbed.workloads.asking import ask_in

H3 = WebH3()


@pytest.mark.lab
def test_a_page_comes_and_a_name_that_is_none_does_not(transfer_lab: Lab) -> None:
    with H3.serve(transfer_lab.host("web")):
        seen = H3.measure(ask_in(transfer_lab, "web-h3"))
        assert (seen.outcome, seen.failure, seen.bytes) == (Outcome.OK, "", 42)
        assert seen.connect_s == seen.tls_s
        assert seen.connect_s is not None
        assert seen.time_to_first_byte is not None
        assert 0 < seen.connect_s < seen.time_to_first_byte <= (seen.seconds or 0)
        none = H3.measure(ask_in(transfer_lab, "web-h3", host="nobody.example"))
        assert (none.outcome, none.failure) == (Outcome.BLOCKED, failure.DNS_NXDOMAIN)


@pytest.mark.lab
def test_what_is_dropped_times_out_and_the_box_has_read_the_name() -> None:
    with Lab("tspu-quic-2022", sites=["blocked.example"]) as lab, H3.serve(lab.host("web")):
        seen = H3.measure(ask_in(lab, "web-h3", host="blocked.example", limit_s=1.5))
        assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, failure.TIMEOUT)
        decisions = lab.decisions()
        assert set(decisions["rule"]) == {"quic"}
        assert decisions["flow"].str.startswith("udp 10.0.0.7:").all()
