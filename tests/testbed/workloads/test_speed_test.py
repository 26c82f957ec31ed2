"""Several connections as one: sums, and the failure of any."""

from __future__ import annotations

import dataclasses

import pytest

from testbed.lab import Lab
from testbed.result import Outcome
from testbed.series import Series
from testbed.workload import Observation, Target, no_result
from testbed.workloads.speed_test import SpeedTestDown, SpeedTestUp, added, together
from tests.testbed.workloads.asking import ask_in

TARGET = Target(name="x", about="", host="speed.example", workload="speed-test-down", listed=False, seconds=4, skip_s=1)


def _seen(rate: float, from_s: float = 0.0) -> Observation:
    times = tuple(from_s + number / 10 for number in range(41))
    series = Series(times_s=times, bytes=tuple(int(rate * (one - from_s)) for one in times), from_s=from_s)
    return Observation(
        outcome=Outcome.OK, seconds=from_s + 4, bytes=int(4 * rate), series=series, rtt_s=0.05, retransmitted=0.1
    )


def test_the_goodput_is_the_sum_over_the_time_in_which_all_ran() -> None:
    seen = together([_seen(1e5), _seen(2e5, 0.3)], TARGET)
    assert seen.outcome is Outcome.OK
    assert seen.goodput == pytest.approx(8 * 3e5, rel=0.01)
    assert seen.bytes == 1_200_000
    assert seen.retransmitted == pytest.approx(0.1)
    whole = added(
        [_seen(1e5).series or Series(times_s=(), bytes=()), _seen(2e5, 0.3).series or Series(times_s=(), bytes=())]
    )
    assert (whole.from_s, whole.end_s) == pytest.approx((0.3, 4.0))


def test_any_failure_is_that_of_all_and_the_want_of_a_result_before_it() -> None:
    failed = dataclasses.replace(_seen(1.0), outcome=Outcome.BLOCKED, failure="connection_reset")
    assert together([_seen(1e5), failed], TARGET).failure == "connection_reset"
    assert together([_seen(1e5), failed, no_result("no lab")], TARGET).outcome is Outcome.NO_RESULT


@pytest.mark.lab
@pytest.mark.parametrize("test", [SpeedTestDown(), SpeedTestUp()], ids=["down", "up"])
def test_it_fills_a_line_for_its_seconds(transfer_lab: Lab, test: SpeedTestDown | SpeedTestUp) -> None:
    seen = test.measure(ask_in(transfer_lab, test.name, seconds=1.5, skip_s=0.5))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
    assert seen.goodput is not None
    assert seen.goodput > 1e6
