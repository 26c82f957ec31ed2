"""Fixtures for tests of the live box."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.middlebox.drivers.three_nodes import ThreeNodes
from tests.middlebox.drivers.traffic import SERVER


@pytest.fixture
def nodes() -> Iterator[ThreeNodes]:
    """Client, box and server in namespaces of their own."""
    with ThreeNodes() as built:
        yield built


@pytest.fixture
def server(nodes: ThreeNodes) -> subprocess.Popen[str]:
    """The server of `traffic`, on the last node."""
    return nodes.serve(SERVER)
