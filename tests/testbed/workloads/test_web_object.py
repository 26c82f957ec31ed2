"""A page and its objects, in a lab; a lab that only forwards."""

from __future__ import annotations

import pytest

from testbed.lab import Lab
from testbed.result import Outcome
from testbed.workloads.web_object import OBJECT_BYTES, OBJECTS, WebObject
from tests.testbed.workloads.asking import ask_in


@pytest.mark.lab
def test_the_page_and_all_its_objects_come_over_one_connection(transfer_lab: Lab) -> None:
    seen = WebObject().measure(ask_in(transfer_lab, "web-object"))
    assert (seen.outcome, seen.failure, seen.note) == (Outcome.OK, "", "")
    assert seen.bytes is not None
    assert seen.bytes > 19_000 + OBJECTS * OBJECT_BYTES
    assert seen.seconds is not None
    assert seen.rtt_s is not None
    assert 0 < seen.rtt_s < 1
