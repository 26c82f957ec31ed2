"""A speed test in virtual time: what a line carries, whatever its flows are held to."""

from __future__ import annotations

import pytest

from testbed.result import Outcome
from testbed.virtual import speed_test
from testbed.virtual.asking import Application
from testbed.workloads.speed_test import CONNECTIONS, SECONDS
from tests.testbed.virtual.asking import ask, do


@pytest.mark.parametrize(("application", "line"), [(speed_test.down, 10e6), (speed_test.up, 2e6)], ids=["down", "up"])
def test_it_finds_what_the_line_carries(application: Application, line: float) -> None:
    asked = ask("speed-test-down")
    seen = do(asked, application(asked))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
    assert seen.seconds == pytest.approx(SECONDS + 3 * 0.046, abs=0.02)
    assert seen.goodput == pytest.approx(0.95 * line, rel=0.08)


def test_what_holds_each_flow_lets_all_of_them_have_so_much() -> None:
    asked = ask("speed-test-down", "throttle-police", seconds=12.0, skip_s=2.0)
    seen = do(asked, speed_test.down(asked))
    assert seen.goodput == pytest.approx(CONNECTIONS * 123e3, rel=0.1)


def test_a_failure_of_one_connection_is_that_of_all() -> None:
    asked = ask("speed-test-down", "sni-drop")
    seen = do(asked, speed_test.down(asked))
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, "generic_timeout_error")
