"""What a run keeps: its folder, its manifest from beginning to end, its rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from middlebox.policy import Policy
from testbed.manifest import read
from testbed.result import RowsFile
from testbed.run_folder import Recorder, as_typed, begin, end, new_folder, total
from testbed.series import Series
from tests.testbed.pretended import SCENARIO
from tests.testbed.written import rows as written


def test_a_manifest_says_from_the_start_what_is_run_and_by_what(tmp_path: Path) -> None:
    policy = Policy.load("gfw-tls")
    manifest = begin(SCENARIO, [policy], seed=4, folder=tmp_path, command=["run"], run="mine", backend="simulate")
    made = read(tmp_path)
    assert (made["run"], made["backend"], made["finished"], made["status"]) == ("mine", "simulate", False, None)
    assert made["policies"][0]["memories"] == "3-tuple"
    with RowsFile(tmp_path) as rows:
        record = Recorder(rows, lambda row: None)
        record(written(1, policy="control")[0])
        record(written(1, policy="gfw-tls")[0])
        record.keep(written(1)[0], Series(times_s=(), bytes=()))  # with nowhere to go
    assert [one.policy for one in record.control] == ["control"]
    (tmp_path / "gfw-tls").mkdir()
    (tmp_path / "gfw-tls" / "box.pcap").write_bytes(b"")
    ran = end(tmp_path, manifest)
    assert read(tmp_path)["status"] == ran.status == 0
    assert (tmp_path / "box.pcap").is_symlink()


def test_a_run_is_not_longer_than_it_says() -> None:
    assert total(SCENARIO, []) == len(SCENARIO.targets) * SCENARIO.attempts


def test_run_folders_are_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = new_folder(SCENARIO, None), new_folder(SCENARIO, None)
    assert first != second
    assert first.parent == second.parent == Path("runs")
    assert new_folder(SCENARIO, tmp_path / "mine") == tmp_path / "mine"
    (tmp_path / "mine" / "x").write_text("")
    with pytest.raises(FileExistsError, match="not empty; a run never overwrites another"):
        new_folder(SCENARIO, tmp_path / "mine")


def test_the_command_is_given_as_one_types_it() -> None:
    assert as_typed(["run", "x", "--policy", "my file.yaml"]) == "./penstock run x --policy 'my file.yaml'"
