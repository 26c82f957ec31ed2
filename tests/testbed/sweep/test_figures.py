"""The figures of a sweep."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from testbed.sweep import figures
from testbed.sweep.backends import Measure
from testbed.sweep.findings import Findings
from tests.testbed.sweep.made import parameter, sweep
from tests.testbed.sweep.test_findings import BACKEND, MEDIAN, SHARE


@pytest.fixture(scope="module")
def findings() -> Findings:
    made = sweep(parameters=(parameter("rtt", "1 ms", "30 ms"), parameter("host", "a.example", "b.example")))
    rows = [
        (rtt, host, policy, workload, rtt > 1, rtt * 1e5 if rtt > 1 else None)
        for rtt in (1.0, 30.0)
        for host in ("a.example", "b.example")
        for policy in ("p", "q")
        for workload in ("w", "x")
    ]
    columns = ["rtt [ms]", "host", "policy", "workload", "good", "value"]
    return Findings(made, BACKEND, pd.DataFrame(rows, columns=columns))


@pytest.mark.parametrize("measure", [SHARE, MEDIAN], ids=lambda one: one.name)
def test_heat_maps_and_curves_are_whole_pictures_and_the_same_each_time(findings: Findings, measure: Measure) -> None:
    rtt, host = findings.parameters

    def draw() -> list[str]:
        return [
            figures.heat(findings, measure, rtt, host),
            figures.curves(findings, measure, rtt),
            figures.curves(findings, measure, host),
        ]

    drawings = draw()
    for drawing in drawings:
        assert ET.fromstring(drawing).tag.endswith("svg")
        assert "<image" not in drawing  # no bitmap, so that it can be printed
    assert drawings == draw()


def test_lines_are_policies_or_else_another_parameter_with_few_values(findings: Findings) -> None:
    rtt, host = findings.parameters
    policy, workload = findings.words
    assert figures.told_apart(findings, rtt) == [policy]
    assert figures.told_apart(findings, policy) == [rtt]
    findings.words = [workload]
    assert figures.told_apart(findings, rtt) == [host]
    findings.parameters = [rtt]
    assert figures.told_apart(findings, rtt) == []
    findings.words, findings.parameters = [policy, workload], [rtt, host]


def test_a_panel_stands_for_each_combination_of_what_is_in_words(findings: Findings) -> None:
    policy, workload = findings.words
    assert len(figures.panels([policy, workload])) == 4
    assert figures.panels([]) == [()]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (1, "1"), (1234, "1234"), (37_500, "37.5 k"), (1.05e6, "1.05 M"), (2e9, "2 G"), (0, "0")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert figures.short(value) == text
