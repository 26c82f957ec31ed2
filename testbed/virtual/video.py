"""A video in segments at adaptive bitrates, in virtual time."""

from __future__ import annotations

from dataclasses import replace

from testbed.virtual.asking import Ask, Asking
from testbed.virtual.transfer import transfer
from testbed.workloads.video import video, viewed


def play(ask: Ask) -> Asking:
    """`Target.seconds` of it."""
    asked = replace(ask, target=replace(ask.target, seconds=0.0, skip_s=0.0))
    return viewed((yield from transfer(asked, [], video=video(ask.target))))
