"""Pages in virtual time, by three clients."""

from __future__ import annotations

import pytest

from testbed.result import Outcome
from tests.testbed.virtual.made import one


@pytest.mark.parametrize(
    ("policy", "target", "failure"),
    [
        (None, "blocked", ""),
        (None, "blocked-browser", ""),
        (None, "no-sni", ""),
        ("sni-drop", "no-sni", ""),
        ("sni-drop", "blocked-browser", "generic_timeout_error"),
        ("gfw-like", "blocked-ipv6", "connection_reset"),
        ("tspu-2022", "blocked-browser", ""),
        ("tspu-2022", "blocked", "connection_reset"),
        ("dns-inject", "blocked", "network_unreachable"),
    ],
)
def test_what_a_client_sees(policy: str | None, target: str, failure: str) -> None:
    row = one(policy, target)
    assert (row.outcome, row.failure) == (Outcome.BLOCKED if failure else Outcome.OK, failure)
    assert (row.bytes is None) == bool(failure)


def test_times_follow_one_another() -> None:
    row = one(None, "innocent-browser")
    assert row.connect_s is not None
    assert row.tls_s is not None
    assert row.time_to_first_byte is not None
    assert 0 < row.connect_s < row.tls_s < row.time_to_first_byte <= (row.seconds or 0)
    assert row.address == "10.0.0.2"
