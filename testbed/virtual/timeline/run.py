"""A timeline's legs in virtual time, each in a simulated lab of its own; the run around them is `testbed.timeline.run`.

Nothing in rows, probes, captures and decisions depends on the machine or on the time of day: two runs of the same
timeline, policies and seed give the same bytes.
"""

from __future__ import annotations

from typing import Any

from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.tunnels import TUNNELS
from testbed.timeline.run import SERIES, Asked, Backend
from testbed.timeline.series import Series
from testbed.timeline.values import Timeline
from testbed.virtual.run import BACKEND, LINK_MEANS, boxes, facts, name_of
from testbed.virtual.timeline.leg import VirtualTimelineLeg


def _leg(asked: Asked) -> dict[str, Any]:
    """Measure one leg; what the manifest keeps of it."""
    where = asked.folder / asked.where
    timeline = asked.timeline
    lab = SimulatedLab(asked.policy, timeline.network, asked.sites, asked.lab_seed, where, brief=True)
    series = Series(where / SERIES)
    leg = VirtualTimelineLeg(asked=asked, lab=lab, series=series, backend=BACKEND, link_means=LINK_MEANS)
    try:
        with lab:
            lab.run(leg.measure(), limit_s=timeline.seconds + 1)
    finally:
        series.close()
    asked.manifest["facts"] |= facts(lab)
    asked.manifest["sites"] = [[site.name, site.ipv4, site.ipv6] for site in lab.sites]
    return {
        "phases": [[one.name, one.begin_s, one.end_s] for one in leg.course.passed],
        "anew": leg.telling.anew,
        "tools": {name: {"address": one.address} for name, one in leg.serving.items()},
        "boxes": boxes(lab),
        "dead": [],
        "virtual_s": lab.clock.elapsed_s,
    }


def missing(timeline: Timeline) -> str:
    """Why a timeline cannot run in virtual time; "" if it can."""
    lacking = [tool for tool in timeline.tools if tool not in TUNNELS]
    return f"no '{lacking[0]}' in virtual time (there are: {', '.join(TUNNELS)})" if lacking else ""


SIMULATED = Backend(name=BACKEND, leg=_leg, means=lambda tool: TUNNELS[tool].means(), called=name_of)
