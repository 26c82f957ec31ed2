"""What a sweep's table says."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from testbed.sweep.backends import Backend, Kind, Measure
from testbed.sweep.findings import Findings
from testbed.sweep.values import Parameter, Span, Sweep
from tests.testbed.sweep.made import parameter, sweep

SHARE = Measure(name="good", column="good", hit=True, about="good rows")
MEDIAN = Measure(name="value", column="value", about="values", where={"good": True})
BACKEND = Backend(
    about="",
    run=lambda cell: [],
    check=lambda sweep: None,
    columns={"policy": Kind.TEXT},
    measures=(SHARE, MEDIAN),
    across=("workload",),
    sources=(),
)


def found(made: Sweep, rows: Sequence[tuple[object, ...]], *columns: str) -> Findings:
    table = pd.DataFrame(rows, columns=list(columns))
    for name in ("policy", "workload"):
        if name not in table:
            table[name] = "one"
    return Findings(made, BACKEND, table)


def test_a_share_and_a_median_are_those_of_the_rows_that_are_asked_for() -> None:
    made = sweep(parameters=(parameter("rtt", "1 ms", "2 ms"),))
    rows = [(1.0, True, 10.0)] * 3 + [(1.0, False, 99.0)] + [(2.0, True, 20.0), (2.0, True, 30.0)]
    findings = found(made, rows, "rtt [ms]", "good", "value")
    (rtt,) = findings.parameters
    assert rtt.labels == ("1", "2")
    share = findings.value(SHARE, [(rtt, 0)])
    assert share is not None
    assert (share.value, share.n) == (0.75, 4)
    assert (round(share.low, 3), round(share.high, 3)) == (0.301, 0.954)  # Wilson's interval of 3 of 4
    median = findings.value(MEDIAN, [(rtt, 1)])
    assert median is not None
    assert (median.value, median.low, median.high, median.n) == (25.0, 20.0, 30.0, 2)


def test_without_rows_there_is_no_value() -> None:
    made = sweep(parameters=(parameter("rtt", "1 ms", "2 ms"),))
    findings = found(made, [(1.0, True, None), (2.0, False, 5.0)], "rtt [ms]", "good", "value")
    (rtt,) = findings.parameters
    assert findings.value(MEDIAN, [(rtt, 0)]) is None
    assert findings.value(MEDIAN, [(rtt, 1)]) is None


def test_many_numbers_are_put_together_into_ranges_and_none_is_lost() -> None:
    made = sweep(parameters=(Parameter("rtt", Span(1, 1000, "ms", logarithmic=True)),), draws=200)
    rows = [(float(1 + 999 * one / 199), True, 1.0) for one in range(200)]
    findings = found(made, rows, "rtt [ms]", "good", "value")
    (rtt,) = findings.parameters
    assert rtt.count == 8
    assert rtt.logarithmic
    counts = [findings.value(SHARE, [(rtt, place)]) for place in range(8)]
    assert sum(one.n for one in counts if one) == 200
    assert rtt.labels[0].startswith("1 to ")
    assert rtt.labels[-1].endswith(" to 1e+03")


def test_words_stand_in_the_order_of_the_plan() -> None:
    made = sweep(parameters=(parameter("host", "z.example", "a.example"),))
    findings = found(made, [("z.example", "p"), ("a.example", "q")], "host", "policy")
    assert findings.parameters[0].labels == ("z.example", "a.example")
    assert [one.column for one in findings.words] == ["policy"]


def test_what_does_not_differ_is_no_factor() -> None:
    made = sweep(parameters=(parameter("host", "a.example"),))
    findings = found(made, [("a.example", True, 1.0)] * 3, "host", "good", "value")
    assert findings.parameters == []
    assert findings.words == []
    assert findings.pairs() == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(1.0, 1.0, "p"), (2.0, 2.0, "q")], [("rtt [ms]", "content [kB]")]),
        ([(1.0, 1.0, "p"), (2.0, 1.0, "q")], [("rtt [ms]", "policy")]),
    ],
)
def test_heat_maps_show_pairs_of_parameters_or_a_parameter_and_a_word(
    rows: list[tuple[object, ...]], expected: list[tuple[str, str]]
) -> None:
    made = sweep(parameters=(parameter("rtt", "1 ms", "2 ms"), parameter("content", "1 kB", "2 kB")))
    findings = found(made, rows, "rtt [ms]", "content [kB]", "policy")
    assert [(one.column, other.column) for one, other in findings.pairs()] == expected
