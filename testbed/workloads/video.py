"""A video in segments at adaptive bitrates: how long until it starts, how often it stalls, how good it looks.

The player fetches and this file works out what a viewer saw. No picture is decoded: segments are the server's noise, as
large as segments of their bitrate are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from testbed.judging import is_disturbed
from testbed.result import Outcome
from testbed.workload import Ask, Observation, Target
from testbed.workloads.transfer import Video, transfer

#: bit/s of a usual ladder, from 144p to 720p
LADDER = (100_000.0, 250_000.0, 600_000.0, 1_200_000.0, 2_500_000.0)
SEGMENT_S, MOST_AHEAD_S = 2.0, 8.0
PLAYED_S = 16.0  #: of video, unless the target names other seconds
#: play begins, and begins again after a stall, with so much there
START_S = 2.0


@dataclass(frozen=True, slots=True)
class Played:
    """What a viewer saw."""

    startup_s: float  #: from the player's first request to the first picture
    stalls: int
    stalled_s: float
    watched_s: float  #: from the first picture to the last, stalls included
    bitrate: float  #: bit/s, the mean of what was played
    switches: int

    @property
    def stalled_share(self) -> float:
        return self.stalled_s / self.watched_s if self.watched_s > 0 else 0.0


def played(segments: Sequence[tuple[float, float, float]], segment_s: float = SEGMENT_S) -> Played:
    """The course of a video whose segments were asked for, and had come, at these seconds, at these bitrates."""
    if not segments:
        raise ValueError("no segment has come: nothing was played")
    enough = max(1, round(START_S / segment_s))
    began_s = segments[min(enough, len(segments)) - 1][1]
    stalls, stalled_s, end_s = 0, 0.0, began_s + enough * segment_s
    for _, came_s, _ in segments[enough:]:
        if came_s > end_s:
            stalls += 1
            stalled_s += came_s - end_s
            end_s = came_s
        end_s += segment_s
    rates = [rate for _, _, rate in segments]
    return Played(
        startup_s=began_s - segments[0][0],
        stalls=stalls,
        stalled_s=stalled_s,
        bitrate=sum(rates) / len(rates),
        switches=sum(left != right for left, right in pairwise(rates)),
        watched_s=end_s - began_s,
    )


class AdaptiveVideo:
    """`Target.seconds` of video; goodput is its mean bitrate, time to first byte that to the first picture."""

    name = "video"
    about = f"a video in segments of {SEGMENT_S:g} s, from 100 kbit/s to 2.5 Mbit/s"
    protocol = "https"
    says_name = True
    heavy = True
    fills = True

    def size(self, target: Target) -> int:
        return int(LADDER[0] / 8 * (target.seconds or PLAYED_S))

    def measure(self, ask: Ask) -> Observation:
        # the client's own end is the video's; that of the target says how long it is
        asked = replace(ask, target=replace(ask.target, seconds=0.0, skip_s=0.0))
        return viewed(transfer(asked, [], video=video(ask.target)))


def video(target: Target) -> Video:
    """What a player fetches of a target."""
    count = max(1, round((target.seconds or PLAYED_S) / SEGMENT_S))
    return Video(ladder=LADDER, segment_s=SEGMENT_S, count=count, most_ahead_s=MOST_AHEAD_S)


def viewed(seen: Observation) -> Observation:
    """A transfer of segments as a viewer saw it."""
    if not seen.segments:
        return seen
    what = played(seen.segments)
    note = (
        f"start-up {what.startup_s:.1f} s, {what.stalls} stalls of {what.stalled_s:.1f} s in all "
        f"({100 * what.stalled_share:.0f} %), {what.bitrate / 1000:.0f} kbit/s, {what.switches} switches"
    )
    if seen.outcome is not Outcome.OK:
        return replace(seen, note=f"{seen.note}; until then: {note}")
    return replace(
        seen,
        outcome=Outcome.DEGRADED if is_disturbed(what.stalled_share) else Outcome.OK,
        goodput=what.bitrate,
        time_to_first_byte=what.startup_s,
        note=note,
    )
