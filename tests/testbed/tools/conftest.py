"""One lab for all tests of tools: a subscriber for each, nothing that slows, and a box without a policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.lab import Lab
from testbed.tools import TOOLS
from testbed.topology import Way, national

pytest.register_assert_rewrite("tests.testbed.tools.living")


TOPOLOGY = national(name="tools", subscribers=len(TOOLS), access=("direct",), transit=0, abroad=Way())


@pytest.fixture(scope="session")
def abroad() -> Iterator[Lab]:
    with Lab(topology=TOPOLOGY) as lab:
        yield lab
