"""Offloads as `ethtool` tells them, which is another program's reading of the same."""

from __future__ import annotations

import shutil

import pytest

from testbed.emulate.tools import search_path
from testbed.lab import Lab

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("wire_packets", [True, False])
def test_offloads_are_off_where_packets_shall_be_as_on_a_wire(wire_packets: bool) -> None:
    if shutil.which("ethtool", path=search_path()) is None:
        pytest.fail("this test needs ethtool: apt-get install ethtool")
    names = (
        "tx-tcp-segmentation",
        "tx-tcp6-segmentation",
        "generic-segmentation-offload",
        "generic-receive-offload",
        "tx-checksumming",
    )
    with Lab(topology="small", wire_packets=wire_packets) as lab:
        for host, interface in (("client", "client-eth0"), ("box", "box-eth1")):
            said = lab.host(host).run(["ethtool", "-k", interface]).stdout
            found = dict(line.strip().split(": ") for line in said.splitlines() if line.strip().startswith(names))
            assert {value.split()[0] for value in found.values()} == {"off" if wire_packets else "on"}
        assert lab.facts()["offloads"] == ("off" if wire_packets else "on")
