"""Names in virtual time."""

from __future__ import annotations

from testbed.result import Outcome
from tests.testbed.virtual.made import one


def test_a_true_answer_is_ok_and_a_forged_one_is_blocked() -> None:
    true, forged = one(None, "blocked-dns"), one("dns-inject", "blocked-dns")
    assert (true.outcome, true.failure) == (Outcome.OK, "")
    assert (forged.outcome, forged.failure) == (Outcome.BLOCKED, "dns_bogon_error")
    assert "which is not the host's address" in forged.note
    assert (forged.seconds or 1) < (true.seconds or 0)  # the injection comes first
    assert true.bytes
