"""A network with a relay in virtual time, tools in it, and what a box says of them."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simpy.events import Event

from middlebox.policy import Policy
from testbed.simulate.fetch import Fetched
from testbed.simulate.laboratory import SimulatedLab
from testbed.simulate.tunnels import TUNNELS, SimulatedServing, SimulatedTunnel
from testbed.tool import NotUp
from testbed.topology import shipped

SITE = "innocent.example"


def lab_with(rules: str = "", folder: Path | None = None, seed: int = 1) -> SimulatedLab:
    """The lab of `vpn-disruption`; its box has these rules, lines of YAML, if any."""
    policy: Policy | None = None
    if rules:
        assert folder is not None
        path = folder / "policy.yaml"
        path.write_text(f"name: own\nrules:\n{rules}")
        policy = Policy.load(path)
    return SimulatedLab(policy, shipped("many"), [SITE], seed)


@dataclass
class Used:
    """One tool at one subscriber, once it has been used."""

    tool: str
    serving: SimulatedServing
    tunnel: SimulatedTunnel | None = None
    error: NotUp | None = None
    got: Fetched | None = None


def serve(lab: SimulatedLab, tool: str) -> Used:
    return Used(tool, TUNNELS[tool].serve(lab, lab.host("relay")))


def connect(
    lab: SimulatedLab, used: Used, *, limit_s: float = 6.0, host: str = "client"
) -> Generator[Event, Any, None]:
    """Connect, or note why not."""
    try:
        used.tunnel = yield from used.serving.connect(lab.host(host), limit_s)
    except NotUp as error:
        used.error = error


def fetch(
    lab: SimulatedLab, used: Used, size: int = 20_000, *, limit_s: float = 10.0, host: str = "client"
) -> Generator[Event, Any, None]:
    """Fetch so many bytes through it."""
    assert used.tunnel is not None
    address = next(one.ipv4 for one in lab.sites if one.name == SITE)
    used.got = yield from lab.browser_of(host).fetch(
        SITE,
        "/object/1M",
        address=address,
        limit_s=limit_s,
        fields=f"Range: bytes=0-{size - 1}\r\n",
        through=used.tunnel.inner,
    )


def used_once(
    tool: str, rules: str = "", folder: Path | None = None, *, size: int = 20_000
) -> tuple[SimulatedLab, Used]:
    """A tool that has been connected, and used for one fetch if it was up."""
    lab = lab_with(rules, folder)
    used = serve(lab, tool)

    def person() -> Generator[Event, Any, None]:
        yield from connect(lab, used)
        if used.tunnel is not None:
            yield from fetch(lab, used, size)

    lab.run(person(), limit_s=60)
    return lab, used


def told(lab: SimulatedLab) -> list[dict[str, Any]]:
    """The decisions of the box, as their lines say."""
    return [json.loads(one) for one in lab.log()]
