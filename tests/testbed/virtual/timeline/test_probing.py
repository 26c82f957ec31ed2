"""Probes in virtual time: each is answered with an address and a round trip, or says why not."""

from __future__ import annotations

from pathlib import Path

from testbed.simulate.fetch import Dialler
from testbed.timeline.series import Series, read_series
from testbed.virtual.timeline.probing import VirtualProber
from tests.testbed.simulate.tunnels.made import lab_with


def test_probes_tell_where_they_came_from_and_when_there_was_no_way(tmp_path: Path) -> None:
    lab = lab_with()
    series = Series(tmp_path / "series.jsonl")
    ways: list[Dialler | None] = [lab.client]
    prober = VirtualProber(
        clock=lab.clock,
        series=series,
        actor="anna",
        address=next(one.ipv4 for one in lab.sites if one.name == "other.example"),
        name="other.example",
        every_s=0.5,
        limit_s=2.0,
        through=lambda: ways[-1],
        exit=lambda: lab.client.ipv4,
    )
    lab.clock.process(prober.run())
    lab.clock.run_for(1.9)
    ways.append(None)
    lab.clock.run_for(4.0)
    found = read_series(tmp_path / "series.jsonl")
    good, bad = [one for one in found if one.ok], [one for one in found if not one.ok]
    assert len(good) == 4
    assert {one.exit for one in good} == {lab.client.ipv4}
    assert all(one.rtt is not None and 0.02 < one.rtt < 0.1 for one in good)
    assert {one.why for one in bad} == {"timeout"}
    assert all(abs(one.ended - one.t - 2.0) < 1e-3 for one in bad)
