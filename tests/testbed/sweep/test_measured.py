"""What those backends share whose cell is one run of a scenario."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.scenario import find
from testbed.sweep import measured, planning
from testbed.sweep.backends import Kind
from testbed.sweep.values import Cell
from tests.testbed.sweep.made import parameter, sweep


def one_cell(**said: object) -> Cell:
    return next(planning.cells(sweep(backend="emulate", **said)))


def test_a_tool_that_no_target_has_takes_those_without_one() -> None:
    found = measured.scenario_of(one_cell(scenario="throttling", tools=("ssh",), workloads=("download",)))
    assert [(one.name, one.tool) for one in found.targets] == [("slowed-down", "ssh"), ("innocent-down", "ssh")]
    found = measured.scenario_of(one_cell(scenario="sni-filtering", tools=("split",), workloads=("web",)))
    assert {one.tool for one in found.targets} == {"split"}
    assert not found.gets_through
    with pytest.raises(ValueError, match="no target for download through tor"):
        measured.scenario_of(one_cell(scenario="throttling", tools=("tor",), workloads=("download",)))


def test_a_cell_has_those_targets_that_its_tool_and_workload_name() -> None:
    found = measured.scenario_of(one_cell(scenario="throttling", tools=("wireguard",), workloads=("download",)))
    assert [one.name for one in found.targets] == ["vpn-down"]
    found = measured.scenario_of(one_cell(scenario="throttling", tools=("none",), workloads=("download",)))
    assert [one.name for one in found.targets] == ["slowed-down", "innocent-down"]
    assert len(measured.scenario_of(one_cell(scenario="throttling")).targets) == 9


def test_settings_are_those_of_scenarios_and_attempts_are_few() -> None:
    assert measured.scenario_of(one_cell(scenario="throttling")).attempts == 2
    cell = one_cell(scenario="throttling", parameters=(parameter("attempts", "5"), parameter("limit", "60")))
    assert measured.scenario_of(cell).attempts == 5
    assert measured.scenario_of(cell).limit_s == 60


def test_residual_censorship_is_asked_only_if_both_its_targets_are_there() -> None:
    assert measured.scenario_of(one_cell(scenario="sni-filtering")).residual is not None
    assert measured.scenario_of(one_cell(scenario="sni-filtering", workloads=("dns",))).residual is None


def test_without_policies_those_of_the_scenario_are_taken() -> None:
    made = planning.plan({"backend": "emulate", "scenario": "throttling"})
    assert [one.name for one in made.policies] == list(find("throttling").policies)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "the backend emulate needs a scenario"),
        ({"scenario": "throtling"}, r"no scenario 'throtling'; did you mean 'throttling'\?"),
        ({"scenario": "vpn-disruption"}, "'vpn-disruption' runs along a timeline"),
        ({"scenario": "throttling", "workloads": ("dns",)}, "has no target for dns .there are: download, download thr"),
        ({"scenario": "throttling", "parameters": (parameter("limits", "3"),)}, r"no setting 'limits'; did you mean"),
        ({"scenario": "throttling", "parameters": (parameter("limit", "x"),)}, "'x' is not a number of seconds"),
        ({"scenario": "throttling", "parameters": (parameter("attempts", "0.5"),)}, "attempts: found '0.5'"),
    ],
)
def test_what_no_scenario_has_is_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one_cell(**said)


def test_the_rows_of_a_run_are_those_of_the_table(tmp_path: Path) -> None:
    from testbed.result import Fidelity, Outcome, Row, RowsFile

    said = dict.fromkeys(("run", "scenario", "backend", "policy", "subscriber", "access", "tool", "workload"), "x")
    row = Row(
        **said,  # type: ignore[arg-type]
        seed=1,
        target="t",
        attempt=1,
        phase="main",
        started_s=1.0,
        outcome=Outcome.OK,
        failure="",
        seconds=0.5,
        time_to_first_byte=None,
        goodput=None,
        bytes=7,
        intended=Outcome.OK,
        fidelity=Fidelity.OK,
    )
    with RowsFile(tmp_path) as file:
        file.write(row)
    assert measured.rows_of(tmp_path) == [row.as_dict()]
    assert row.as_dict().keys() == measured.COLUMNS.keys()
    assert measured.COLUMNS["bytes"] is Kind.WHOLE
    assert measured.COLUMNS["goodput"] is Kind.NUMBER
    assert measured.COLUMNS["outcome"] is Kind.TEXT
