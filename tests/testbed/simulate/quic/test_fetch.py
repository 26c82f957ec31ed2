"""A page over HTTP/3: its times, and the names of its failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed import failure
from testbed.simulate.certificates import authority_pem, site_pem
from testbed.simulate.laboratory import SimulatedLab
from tests.testbed.simulate.quic.asking import ask


def test_it_takes_a_round_trip_for_the_name_one_for_the_handshake_and_one_for_the_page() -> None:
    lab = SimulatedLab()
    rtt = 2 * lab.topology.delay("client", "web")
    done = ask(lab)
    assert (done.failure, done.status) == ("", 200)
    assert done.body == b"This is innocent.example at 203.0.113.10.\n"
    assert done.looked_up_s == pytest.approx(rtt, rel=0.02)
    assert done.connected_s == done.secured_s == pytest.approx(2 * rtt, rel=0.02)
    assert done.seconds == pytest.approx(3 * rtt, rel=0.02)


@pytest.mark.parametrize(
    ("name", "policy", "expected"),
    [
        ("nobody.example", None, failure.DNS_NXDOMAIN),
        ("blocked.example", "tspu-quic-2022", failure.TIMEOUT),
        ("blocked.example", "dns-inject", failure.TIMEOUT),
    ],
)
def test_failures_have_oonis_names(name: str, policy: str | None, expected: str) -> None:
    lab = SimulatedLab(policy)
    done = ask(lab, name, limit_s=2.0)
    assert done.failure == expected
    assert done.connected_s is None


def test_who_is_not_trusted_is_no_success() -> None:
    stranger = site_pem(("stranger.example",)).partition("-----BEGIN CERTIFICATE-----")
    done = ask(SimulatedLab(topology="small"), authority=stranger[1] + stranger[2])
    assert done.failure == failure.SSL_UNKNOWN_AUTHORITY
    assert ask(SimulatedLab(topology="small"), authority=authority_pem()).failure == ""


def test_a_name_that_was_led_to_another_site_is_no_success(tmp_path: Path) -> None:
    policy = tmp_path / "lead.yaml"
    policy.write_text(
        "name: lead\nrules:\n  - name: dns\n    match: {dns.name: {under: other.example}}\n"
        "    action: {dns: {a: [203.0.113.10]}}\n"
    )
    lab = SimulatedLab(policy, "small")
    assert next(one.ipv4 for one in lab.sites if one.name == "other.example") != "203.0.113.10"
    done = ask(lab, "other.example")
    assert (done.failure, done.body) == (failure.SSL_INVALID_HOSTNAME, b"")
    assert "doesn't match" in done.note
