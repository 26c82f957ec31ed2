"""Small requests in virtual time: the line's round trip when it is idle, its queue's beside a download."""

from __future__ import annotations

import pytest

from testbed.result import Outcome
from testbed.virtual import round_trips
from testbed.workloads.round_trips import REQUESTS
from tests.testbed.virtual.asking import ask, do

RTT_S = 0.046


def test_an_idle_line_answers_after_its_round_trip() -> None:
    asked = ask("round-trips")
    seen = do(asked, round_trips.idle(asked))
    assert (seen.outcome, len(seen.steps_s), seen.goodput) == (Outcome.OK, REQUESTS, None)
    assert seen.rtt_s == pytest.approx(RTT_S, rel=0.01)


def test_beside_a_download_its_queue_is_waited_for() -> None:
    asked = ask("round-trips-under-load", seconds=4.0)
    seen = do(asked, round_trips.under_load(asked))
    assert (seen.outcome, len(seen.steps_s)) == (Outcome.OK, REQUESTS)
    assert seen.rtt_s is not None
    assert 1.5 * RTT_S < seen.rtt_s < 6 * RTT_S


def test_without_the_download_there_is_no_load() -> None:
    asked = ask("round-trips-under-load", "sni-drop")
    assert do(asked, round_trips.under_load(asked)).outcome is Outcome.BLOCKED
