"""The applications that there are in virtual time, by the names of the lab's workloads: a new one is a line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from testbed.changers import CHANGERS
from testbed.scenario import Scenario
from testbed.virtual import dns, web
from testbed.virtual.asking import Application
from testbed.virtual.transfer import by
from testbed.workload import MOST_BYTES, Target
from testbed.workloads import web_object
from testbed.workloads.transfer import fetch, send

APPLICATIONS: Mapping[str, Application] = {
    "dns": dns.dns,
    "download": by(lambda ask: [fetch(ask.target.size or MOST_BYTES)]),
    "upload": by(lambda ask: [send(ask.target.size or MOST_BYTES)], sends=True),
    "web": web.web,
    "web-chrome": web.browser,
    "web-nosni": web.without_sni,
    "web-object": by(lambda ask: web_object.steps(ask.target)),
}


def missing(scenario: Scenario) -> str:
    """Why a scenario cannot run in virtual time; "" if it can."""
    lacking = sorted({one.workload for one in scenario.targets} - set(APPLICATIONS))
    if lacking:
        return f"no '{lacking[0]}' in virtual time (there are: {', '.join(sorted(APPLICATIONS))})"
    for target in scenario.targets:
        if not _has_tool(target):
            return f"no '{target.tool}' in virtual time (of tools there are: {', '.join(CHANGERS)})"
    return ""


def without_programs(scenario: Scenario) -> tuple[Scenario, list[str]]:
    """The scenario without the targets that go through a real program, and their names."""
    kept = tuple(target for target in scenario.targets if _has_tool(target))
    left_out = [target.name for target in scenario.targets if not _has_tool(target)]
    return (dataclasses.replace(scenario, targets=kept), left_out) if kept and left_out else (scenario, [])


def _has_tool(target: Target) -> bool:
    return not target.tool or target.tool in CHANGERS
