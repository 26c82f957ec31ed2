"""What an attempt in a lab of a test is given."""

from __future__ import annotations

from typing import Any

from testbed.lab import Lab
from testbed.workload import Ask, Target


def ask_in(lab: Lab, workload: str, *, host: str = "innocent.example", limit_s: float = 20, **more: Any) -> Ask:
    target = Target(name="x", about="", host=host, workload=workload, listed=False, **more)
    truth = {site.name: tuple(filter(None, (site.ipv4, site.ipv6))) for site in lab.sites}
    return Ask(host=lab.client, target=target, limit_s=limit_s, source="10.0.0.7", server=lab.host("web"), truth=truth)
