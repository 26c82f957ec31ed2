"""A setup reaches the holder as it was."""

from __future__ import annotations

import pickle

from testbed.emulate.setup import BoxPolicy, Setup
from testbed.sites import DEFAULT
from testbed.topology import shipped


def test_a_setup_survives_the_way_to_the_holder() -> None:
    setup = Setup(
        topology=shipped("two-boxes"), sites=DEFAULT, seed=7, out=None, policies={"box": BoxPolicy("/p.yaml")},
        fail="closed", capture=False, congestion="cubic", wire_packets=True, path="/bin", python_path="/",
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(setup)) == setup
