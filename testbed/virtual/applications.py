"""The applications that there are in virtual time, by the names of the lab's workloads: a new one is a line."""

from __future__ import annotations

from collections.abc import Mapping

from testbed.changers import CHANGERS
from testbed.scenario import Scenario
from testbed.virtual import dns, web
from testbed.virtual.asking import Application

APPLICATIONS: Mapping[str, Application] = {
    "dns": dns.dns,
    "web": web.web,
    "web-chrome": web.browser,
    "web-nosni": web.without_sni,
}


def missing(scenario: Scenario) -> str:
    """Why a scenario cannot run in virtual time; "" if it can."""
    lacking = sorted({one.workload for one in scenario.targets} - set(APPLICATIONS))
    if lacking:
        return f"no '{lacking[0]}' in virtual time (there are: {', '.join(sorted(APPLICATIONS))})"
    for target in scenario.targets:
        if target.tool and target.tool not in CHANGERS:
            return f"no '{target.tool}' in virtual time (of tools there are: {', '.join(CHANGERS)})"
    return ""
