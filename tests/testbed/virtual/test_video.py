"""A video in virtual time: it climbs as far as the line goes, and sinks or stalls under a rate."""

from __future__ import annotations

import pytest

from testbed.result import Outcome
from testbed.virtual import video
from testbed.workloads.video import LADDER
from tests.testbed.virtual.asking import ask, do


def test_on_a_fast_line_the_bitrate_rises_and_nothing_stalls() -> None:
    asked = ask("video", seconds=16.0)
    seen = do(asked, video.play(asked))
    assert (seen.outcome, seen.failure, len(seen.segments)) == (Outcome.OK, "", 8)
    assert (seen.segments[0][2], seen.segments[-1][2]) == (LADDER[0], LADDER[-1])
    assert "0 stalls" in seen.note
    # a player fetches eight seconds ahead, and so rests before the last segments
    assert seen.seconds == pytest.approx(16.0 - 8.0, abs=0.6)


def test_under_a_rate_it_stays_at_the_lowest_bitrate() -> None:
    asked = ask("video", "throttle-police", seconds=16.0)
    seen = do(asked, video.play(asked))
    assert {rate for _, _, rate in seen.segments} == {LADDER[0]}
    assert seen.goodput == LADDER[0]


def test_a_video_that_is_frozen_was_seen_until_then() -> None:
    asked = ask("video", "throttle-freeze", seconds=16.0)
    seen = do(asked, video.play(asked))
    assert (seen.outcome, seen.failure) == (Outcome.BLOCKED, "generic_timeout_error")
