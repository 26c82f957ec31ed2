"""The applications that there are in virtual time, by the names of the lab's workloads: a new one is a line."""

from __future__ import annotations

from collections.abc import Mapping

from testbed.changers import CHANGERS
from testbed.scenario import Scenario
from testbed.simulate.tunnels import TUNNELS
from testbed.virtual import call, dns, round_trips, speed_test, video, web, web_h3
from testbed.virtual.asking import Application
from testbed.virtual.transfer import by
from testbed.workload import MOST_BYTES
from testbed.workloads import messages, web_object
from testbed.workloads.transfer import fetch, send

APPLICATIONS: Mapping[str, Application] = {
    "call": call.call,
    "chat-text": by(lambda ask: messages.text(ask.target), sends=True),
    "dns": dns.dns,
    "download": by(lambda ask: [fetch(ask.target.size or MOST_BYTES)]),
    "media-fetch": by(lambda ask: [fetch(ask.target.size or messages.PHOTO)]),
    "media-send": by(lambda ask: [send(ask.target.size or messages.PHOTO)], sends=True),
    "round-trips": round_trips.idle,
    "round-trips-under-load": round_trips.under_load,
    "speed-test-down": speed_test.down,
    "speed-test-up": speed_test.up,
    "upload": by(lambda ask: [send(ask.target.size or MOST_BYTES)], sends=True),
    "video": video.play,
    "web": web.web,
    "web-chrome": web.browser,
    "web-h3": web_h3.web_h3,
    "web-nosni": web.without_sni,
    "web-object": by(lambda ask: web_object.steps(ask.target)),
}


def missing(scenario: Scenario) -> str:
    """Why a scenario cannot run in virtual time; "" if it can."""
    lacking = sorted({one.workload for one in scenario.targets} - set(APPLICATIONS))
    if lacking:
        return f"no '{lacking[0]}' in virtual time (there are: {', '.join(sorted(APPLICATIONS))})"
    for target in scenario.targets:
        if target.tool and target.tool not in (*CHANGERS, *TUNNELS):
            return f"no '{target.tool}' in virtual time (of tools there are: {', '.join((*CHANGERS, *TUNNELS))})"
    return ""
