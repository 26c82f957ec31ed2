"""Streams of chance by name."""

from __future__ import annotations

from testbed.simulate.chance import stream


def test_a_name_always_has_the_same_stream_whoever_draws_first() -> None:
    first = stream(7, "link a>b")
    other = stream(7, "link b>a")
    drawn = [other.random(), first.random()]
    assert drawn == [stream(7, "link b>a").random(), stream(7, "link a>b").random()]


def test_names_and_seeds_tell_streams_apart() -> None:
    drawn = {stream(seed, name).random() for seed in (1, 2, 11) for name in ("", "1", "link", "link ")}
    assert len(drawn) == 12
