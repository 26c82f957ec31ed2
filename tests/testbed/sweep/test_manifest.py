"""`sweep.json`."""

from __future__ import annotations

import json

from testbed.sweep import manifest, planning
from testbed.sweep.values import Parameter, Span
from tests.testbed.sweep.made import parameter, sweep

MADE = sweep(
    name="rates",
    about="x",
    policies=("sni-drop", "throttle-police"),
    workloads=("tls-hello", "dns-query"),
    parameters=(Parameter("content", Span(20, 400, "kB", logarithmic=True, decimals=False)), parameter("rtt", "1 ms")),
    draws=5,
    seeds=(range(1, 21), range(30, 31)),
)


def test_the_cells_of_a_sweep_follow_from_its_description_alone() -> None:
    told = json.loads(json.dumps(manifest.described(MADE)))
    again = manifest.restored(told)
    assert [one.id for one in planning.cells(again)] == [one.id for one in planning.cells(MADE)]
    assert manifest.described(again) == told
    assert manifest.name(again) == manifest.name(MADE)


def test_another_sweep_has_another_name() -> None:
    assert manifest.name(MADE) != manifest.name(sweep(name="rates"))


def test_what_is_varied_is_told_in_a_line() -> None:
    assert manifest.varied(MADE) == "2 policies x 2 workloads x 5 draws of content, rtt x seeds 1-20,30, by replay"
    assert manifest.varied(sweep()) == "1 policy x 1 workload x seeds 1, by replay"


def test_it_says_how_to_repeat_the_sweep_and_with_what_it_was_made() -> None:
    told = manifest.begin(MADE, command=["sweep", "x.yaml"], cells=7)
    assert told["command"] == ["sweep", "x.yaml"]
    assert told["versions"]["penstock"]
    assert told["cells"] == 7
    assert told["sweep"]["code"] == MADE.code
