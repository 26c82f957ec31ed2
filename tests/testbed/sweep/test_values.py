"""What is varied, and the identity of a cell."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from testbed.sweep.values import Capture, Cell, Chosen, Parameter, Span

CHOSEN = Chosen("p", "name: p\n", Path("p.yaml"), "p.yaml", "lists")
CELL = Cell(
    backend="replay",
    scenario="",
    policy=CHOSEN,
    tool=None,
    workload="tls-hello",
    capture=None,
    parameters=(("rules.0.chance", "5 %"), ("rtt", "1 ms")),
    seed=3,
    code="c0de",
)


def test_a_cells_id_is_the_digest_of_canonical_json_of_all_that_decides_its_result() -> None:
    expected = {
        "backend": "replay",
        "capture": None,
        "code": "c0de",
        "format": 1,
        "parameters": {"rtt": "1 ms", "rules.0.chance": "5 %"},
        "policy": {"lists": "lists", "name": "p", "text": hashlib.sha256(b"name: p\n").hexdigest()},
        "scenario": "",
        "seed": 3,
        "tool": None,
        "workload": "tls-hello",
    }
    text = json.dumps(expected, sort_keys=True, separators=(",", ":"))
    assert CELL.identity == text
    assert CELL.id == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "emulate"},
        {"scenario": "s"},
        {"policy": dataclasses.replace(CHOSEN, text="name: p\n#\n")},
        {"policy": dataclasses.replace(CHOSEN, lists="other")},
        {"tool": "ssh"},
        {"workload": "dns-query"},
        {"capture": Capture("c", Path("c"), "d")},
        {"parameters": (("rules.0.chance", "6 %"), ("rtt", "1 ms"))},
        {"seed": 4},
        {"code": "other"},
    ],
)
def test_whatever_decides_the_result_changes_the_id(change: dict[str, object]) -> None:
    assert dataclasses.replace(CELL, **change).id != CELL.id  # type: ignore[arg-type]


def test_where_a_policy_lies_and_where_a_lab_writes_changes_nothing() -> None:
    moved = dataclasses.replace(CHOSEN, path=Path("/elsewhere"), shown="x")
    assert dataclasses.replace(CELL, policy=moved, folder="/tmp/x").id == CELL.id


def test_places_in_the_policy_and_settings_are_told_apart_by_their_first_word() -> None:
    assert CELL.of_policy() == {"rules.0.chance": "5 %"}
    assert CELL.settings() == {"rtt": "1 ms"}


@pytest.mark.parametrize(
    ("values", "unit", "column", "cell"),
    [
        (("64 kbit/s", "128 kbit/s"), "kbit/s", "x [kbit/s]", 64.0),
        (("64kbit/s", "1 Mbit/s"), None, "x", "64kbit/s"),
        (("1", "2.5"), "", "x", 1.0),
        (("10 %", "5 %"), "%", "x [%]", 10.0),
        (("drop", "5"), None, "x", "drop"),
        (Span(1, 2, "ms"), "ms", "x [ms]", 1.0),
    ],
)
def test_numbers_with_one_unit_are_numbers_in_the_table(
    values: tuple[str, ...] | Span, unit: str | None, column: str, cell: object
) -> None:
    one = Parameter("x", values)
    assert one.unit == unit
    assert one.column == column
    assert one.cell(one.shown[0]) == cell


def test_a_span_is_written_as_policies_write_numbers() -> None:
    assert Span(64, 1024, "kbit/s", logarithmic=True).at(0.5) == "256 kbit/s"
    assert Span(1_000_000, 3_000_000).at(0.5) == "2000000"
    assert Span(1, 4, decimals=False).at(0.4) == "2"
    assert Span(0.00001, 0.00002).at(0) == "0.00001"
    assert str(Span(0.5, 2, "s", logarithmic=True)) == "0.5..2 s log"
