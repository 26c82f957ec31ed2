"""Shadowsocks."""

from __future__ import annotations

import pytest

from testbed.lab import Lab
from tests.testbed.tools.living import lives


@pytest.mark.lab
def test_it_carries_traffic_until_either_end_is_killed_and_leaves_nothing(abroad: Lab) -> None:
    lives(abroad, "shadowsocks")
