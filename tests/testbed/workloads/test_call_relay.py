"""The relay as a program of its own: it answers from the address that was asked, over IPv4 and IPv6."""

from __future__ import annotations

import pytest

from testbed.lab import Lab
from testbed.result import Outcome
from testbed.workloads.call import Call
from tests.testbed.workloads.asking import ask_in


@pytest.mark.lab
@pytest.mark.parametrize("host", ["innocent.example", "other.example"])
def test_it_answers_where_it_was_asked(transfer_lab: Lab, host: str) -> None:
    with Call().serve(transfer_lab.host("web")):
        seen = Call().measure(ask_in(transfer_lab, "call", host=host, seconds=1.0))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
