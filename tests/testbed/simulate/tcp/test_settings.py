"""Settings that cannot be are refused."""

from __future__ import annotations

import pytest

from testbed.simulate.tcp.settings import DEFAULT, Settings


def test_the_defaults_are_those_of_linux() -> None:
    assert (DEFAULT.control, DEFAULT.pacing, DEFAULT.segment, DEFAULT.window_scale) == ("cubic", False, 1_460, 7)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="congestion control 'bbr': one of cubic, reno is expected"):
        Settings(control="bbr")
    with pytest.raises(ValueError, match="segments of 9000 bytes: 88 to 1460"):
        Settings(segment=9_000)
    with pytest.raises(ValueError, match="window scale 15"):
        Settings(window_scale=15)
