"""Fixtures for tests of the live box."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.middlebox.drivers.three_nodes import ThreeNodes


@pytest.fixture
def nodes() -> Iterator[ThreeNodes]:
    """Client, box and server in namespaces of their own."""
    with ThreeNodes() as built:
        yield built
