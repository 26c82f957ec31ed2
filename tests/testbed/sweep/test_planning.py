"""From a description to cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.sweep import planning
from testbed.sweep.values import Parameter, Span
from tests.testbed.sweep.made import parameter, sweep


def test_cells_come_in_the_order_of_policies_workloads_points_and_seeds() -> None:
    made = sweep(
        policies=("sni-drop", "gfw-tls"),
        workloads=("tls-hello", "http-get"),
        parameters=(parameter("rtt", "1 ms", "2 ms"),),
        seeds=(range(1, 3), range(9, 10)),
    )
    found = list(planning.cells(made))
    assert len(found) == planning.count(made) == 2 * 2 * 2 * 3
    assert [(one.policy.name, one.workload, one.parameters[0][1], one.seed) for one in found] == [
        (policy, workload, rtt, seed)
        for policy in ("sni-drop", "gfw-tls")
        for workload in ("tls-hello", "http-get")
        for rtt in ("1 ms", "2 ms")
        for seed in (1, 2, 9)
    ]
    assert len({one.id for one in found}) == len(found)


def test_shards_part_the_cells_by_their_ids_and_leave_none_out() -> None:
    made = sweep(seeds=(range(1, 301),))
    every = [one.id for one in planning.cells(made)]
    parts = [[one.id for one in planning.cells(made) if planning.Shard(number, 3).has(one)] for number in (1, 2, 3)]
    assert sorted(one for part in parts for one in part) == sorted(every)
    assert all(70 < len(part) < 130 for part in parts)
    assert str(planning.shard("2/3")) == "2/3"


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3"])
def test_a_shard_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=rf"--shard: found '{text}'; expected i/n with i from 1 to n, such as 3/40"):
        planning.shard(text)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"policies": ()}, "a sweep needs a policy at least"),
        ({"policies": ("gfw-lik",)}, r"found neither a shipped policy nor a file; .* did you mean 'gfw-like'\?"),
        ({"policies": ("sni-drop", "sni-drop")}, "policies: 'sni-drop' is there twice"),
        ({"workloads": ("tls-hello", "tls-hello")}, "workloads: 'tls-hello' is there twice"),
        ({"backend": "x"}, "no backend 'x'"),
        ({"captures": ("none.pcap",)}, "capture 'none.pcap': No such file or directory"),
        ({"draws": 5}, "lhs:5: there is no parameter to draw"),
        (
            {"parameters": (Parameter("rtt", Span(1, 9, "ms")),)},
            "rtt: found the span '1..9 ms' in a grid; expected its values between commas, or a design that draws",
        ),
        ({"parameters": (parameter("rules.0.chance", "5"),)}, "with rules.0.chance=5:\nsni-drop.yaml:.* found '5'"),
        ({"parameters": (parameter("rules.1.chance", "5 %"),)}, "found no item '1' for the path 'rules.1.chance'"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_runs(said: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sweep(**said)


def test_a_hundred_million_cells_are_counted_and_begun_without_a_list_of_them() -> None:
    made = sweep(parameters=(Parameter("rtt", Span(1, 9, "ms")),), draws=10_000_000, seeds=(range(1, 11),))
    assert planning.count(made) == 100_000_000
    assert next(planning.cells(made)).seed == 1


def test_a_table_names_the_cell_what_is_varied_and_what_was_seen(tmp_path: Path) -> None:
    from testbed.sweep import backends

    made = sweep(parameters=(parameter("rtt", "1 ms", "2 ms"), parameter("host", "a.example")))
    columns = planning.columns(made, backends.find("replay"))
    assert list(columns)[:4] == ["cell", "rtt [ms]", "host", "backend"]
