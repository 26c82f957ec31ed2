"""The applications, listed here one by one: a new one is a file and a line.

Nothing is looked for in folders, and a name cannot be taken twice.
"""

from __future__ import annotations

from testbed.workload import Workload
from testbed.workloads import bulk, call, dns, messages, round_trips, speed_test, video, web, web_h3, web_object

WORKLOADS: dict[str, Workload] = {}


def register(workload: Workload) -> None:
    """Make a workload known by its name; a name that is taken raises `ValueError`."""
    if workload.name in WORKLOADS:
        raise ValueError(f"two workloads are called '{workload.name}'")
    WORKLOADS[workload.name] = workload


register(web.Web())
register(web.WebWithoutSni())
register(web.Browser())
register(web_h3.WebH3())
register(dns.Dns())
register(web_object.WebObject())
register(bulk.Download())
register(bulk.Upload())
register(messages.ChatText())
register(messages.MediaFetch())
register(messages.MediaSend())
register(round_trips.RoundTrips())
register(round_trips.RoundTripsUnderLoad())
register(speed_test.SpeedTestDown())
register(speed_test.SpeedTestUp())
register(video.AdaptiveVideo())
register(call.Call())

__all__ = ["WORKLOADS", "register"]
