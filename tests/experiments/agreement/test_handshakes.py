"""The agreement of two runs: what is the same is called so, and what differs is found."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from experiments.agreement.handshakes import Pair, compare, figure, summary, table
from middlebox.policy import Policy
from scenarios.sni_filtering import SCENARIO
from testbed.virtual.run import run

QUICK = dataclasses.replace(SCENARIO, attempts=1, residual_wait_s=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("run")
    run(QUICK, [Policy.load("gfw-like")], seed=1, folder=made, command=["run"])
    return made


def _with(folder: Path, place: Path, old: str, new: str) -> Path:
    """The run with something else in its rows and decisions."""
    for name in ("manifest.json", "rows.jsonl", "gfw-like/decisions.jsonl", "gfw-like/client.pcap"):
        (place / name).parent.mkdir(exist_ok=True)
        data = (folder / name).read_bytes()
        (place / name).write_bytes(data if name.endswith("pcap") else data.replace(old.encode(), new.encode()))
    (place / "control").mkdir()
    (place / "control" / "client.pcap").write_bytes((folder / "control" / "client.pcap").read_bytes())
    return place


def test_a_run_agrees_with_itself(folder: Path, tmp_path: Path) -> None:
    pairs = compare(folder, folder)
    assert len(pairs) == 2 * len(SCENARIO.targets)
    assert all(one.agrees for one in pairs)
    assert any(one.emulated.decisions != {()} for one in pairs)
    assert "differ by more than 5 ms and 5%" in summary(pairs)
    assert "different" not in table(pairs)
    figure(pairs, tmp_path / "agreement.svg")
    assert "<svg" in (tmp_path / "agreement.svg").read_text()


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("connection_reset", "eof_error", "same_outcome"),
        ('"injected": 10', '"injected": 9', "same_decisions"),
    ],
)
def test_a_difference_is_found(folder: Path, tmp_path: Path, old: str, new: str, differs: str) -> None:
    pairs = compare(folder, _with(folder, tmp_path, old, new))
    hit = {one.target for one in pairs if not getattr(one, differs)}
    assert hit == {"blocked", "subdomain", "blocked-browser", "blocked-ipv6"}
    assert not all(one.agrees for one in pairs)


def test_handshakes_agree_within_five_milliseconds_or_percent(folder: Path) -> None:
    (pair, *_) = compare(folder, folder)

    def late(seconds: float) -> Pair:
        assert pair.simulated.tcp_s is not None
        changed = dataclasses.replace(pair.simulated, tcp_s=pair.simulated.tcp_s + seconds)
        return dataclasses.replace(pair, simulated=changed)

    assert late(0.0049).near
    assert not late(0.0051).near
    assert "**38.0, 43.1**" in table([late(0.0051)])


def test_runs_of_other_policies_are_not_compared(folder: Path, tmp_path: Path) -> None:
    other = _with(folder, tmp_path, '"name": "gfw-like"', '"name": "another"')
    with pytest.raises(ValueError, match="not runs of one scenario under the same policies"):
        compare(folder, other)
