"""Long transfers down and up, in a lab that only forwards."""

from __future__ import annotations

import pytest

from testbed.lab import Lab
from testbed.result import Outcome
from testbed.workloads.bulk import Download, Upload
from tests.testbed.workloads.asking import ask_in


@pytest.mark.lab
@pytest.mark.parametrize("workload", [Download(), Upload()], ids=["down", "up"])
def test_all_of_it_arrives_and_the_sender_tells_of_its_round_trips(
    transfer_lab: Lab, workload: Download | Upload
) -> None:
    seen = workload.measure(ask_in(transfer_lab, workload.name, size=3_000_000))
    assert (seen.outcome, seen.failure, seen.bytes) == (Outcome.OK, "", 3_000_000)
    assert seen.goodput is not None
    assert seen.goodput > 1e6
    assert seen.series is not None
    assert seen.series.bytes[-1] == 3_000_000
    assert seen.min_rtt_s is not None
    assert seen.retransmitted is not None
    assert seen.retransmitted < 0.2


@pytest.mark.lab
def test_what_is_not_over_after_its_seconds_is_enough(transfer_lab: Lab) -> None:
    seen = Upload().measure(ask_in(transfer_lab, "upload", size=10_000_000, seconds=0.5))
    assert seen.outcome is Outcome.OK
    assert seen.bytes is not None
    assert seen.bytes <= 10_000_000
