"""What a viewer saw, worked out from when segments came; and a video in a lab that only forwards."""

from __future__ import annotations

import pytest

from testbed.lab import Lab
from testbed.result import Outcome
from testbed.workloads.video import LADDER, AdaptiveVideo, played
from tests.testbed.workloads.asking import ask_in


def test_segments_that_come_in_time_play_without_a_stall() -> None:
    seen = played([(0.0, 0.5, 100e3), (0.5, 1.0, 300e3), (1.0, 4.4, 300e3)])
    assert (seen.startup_s, seen.stalls, seen.stalled_s, seen.watched_s) == (0.5, 0, 0.0, 6.0)
    assert seen.bitrate == pytest.approx(700e3 / 3)
    assert seen.switches == 1


def test_each_late_segment_is_a_stall_until_it_has_come() -> None:
    seen = played([(1.0, 2.0, 1e5), (2.0, 5.0, 1e5), (5.0, 10.0, 1e5)])
    # plays 2-4, waits until 5, plays 5-7, waits until 10, plays 10-12
    assert (seen.startup_s, seen.stalls, seen.stalled_s, seen.watched_s) == (1.0, 2, 4.0, 10.0)
    assert seen.stalled_share == 0.4


def test_without_a_segment_nothing_was_played() -> None:
    with pytest.raises(ValueError, match="nothing was played"):
        played([])


@pytest.mark.lab
def test_on_a_fast_line_the_bitrate_rises_and_nothing_stalls(transfer_lab: Lab) -> None:
    seen = AdaptiveVideo().measure(ask_in(transfer_lab, "video", seconds=8))
    assert (seen.outcome, seen.failure) == (Outcome.OK, "")
    assert len(seen.segments) == 4
    assert seen.segments[0][2] == LADDER[0]
    assert seen.segments[-1][2] == LADDER[-1]
    assert "0 stalls" in seen.note
