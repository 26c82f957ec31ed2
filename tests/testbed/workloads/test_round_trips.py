"""Small exchanges, idle and beside a download, in a lab that only forwards."""

from __future__ import annotations

import pytest

from testbed.lab import Lab
from testbed.result import Outcome
from testbed.workload import Observation
from testbed.workloads.round_trips import REQUESTS, RoundTrips, RoundTripsUnderLoad, exchanged
from tests.testbed.workloads.asking import ask_in


def test_the_exchange_is_the_middle_one() -> None:
    assert exchanged(Observation(outcome=Outcome.OK, steps_s=(0.04, 0.05, 0.5))).rtt_s == 0.05
    assert exchanged(Observation(outcome=Outcome.OK)).rtt_s is None


@pytest.mark.lab
@pytest.mark.parametrize("workload", [RoundTrips(), RoundTripsUnderLoad()], ids=["idle", "loaded"])
def test_round_trips_are_measured(transfer_lab: Lab, workload: RoundTrips | RoundTripsUnderLoad) -> None:
    seen = workload.measure(ask_in(transfer_lab, workload.name, seconds=1.0))
    assert (seen.outcome, seen.failure, len(seen.steps_s)) == (Outcome.OK, "", REQUESTS)
    assert seen.rtt_s is not None
    assert 0 < seen.rtt_s < 0.5
