"""What a tool is asked in virtual time is what `testbed.tool` asks."""

from __future__ import annotations

import inspect

from testbed.simulate.tunnels.asked import SimulatedServing, SimulatedTool, SimulatedTunnel
from testbed.tool import Serving, Tool, Tunnel


def test_no_name_is_there_that_the_lab_does_not_have_too() -> None:
    for here, there, own in (
        (SimulatedTool, Tool, set()),
        (SimulatedServing, Serving, set()),
        (SimulatedTunnel, Tunnel, {"inner"}),
    ):
        names = {name for name, _ in inspect.getmembers(here) if not name.startswith("_")}
        known = {name for name, _ in inspect.getmembers(there) if not name.startswith("_")}
        assert names - known == own
