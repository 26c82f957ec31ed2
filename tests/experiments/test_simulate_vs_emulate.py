"""Which comparison a scenario gets."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from experiments import simulate_vs_emulate
from experiments.agreement import goodputs, handshakes, timelines
from experiments.simulate_vs_emulate import kind_of


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("sni-filtering", handshakes),
        ("evasion", handshakes),
        ("throttling", goodputs),
        ("vpn-disruption", timelines),
        ("pakistan-2024-08", timelines),
    ],
)
def test_a_scenario_is_compared_by_what_it_measures(name: str, how: ModuleType) -> None:
    assert kind_of(name) is how


def test_a_run_without_a_folder_to_compare_with_ends_with_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate_vs_emulate, "penstock", lambda words: 1)
    monkeypatch.setattr("sys.argv", ["it", "--out", str(tmp_path)])
    assert simulate_vs_emulate.main() == 3
