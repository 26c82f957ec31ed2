"""The list of those who run cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.sweep import backends


@pytest.mark.parametrize("name", list(backends.BACKENDS))
def test_each_backend_says_what_its_rows_are_and_measures_its_own_columns(name: str) -> None:
    found = backends.find(name)
    for measure in found.measures:
        assert measure.column in found.columns
        assert measure.where.keys() <= found.columns.keys()
    assert set(found.across) <= found.columns.keys()
    assert {"backend", "seed", "policy", "workload"} <= found.columns.keys()


def test_an_unknown_backend_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"no backend 'emulat'; did you mean 'emulate'\? \(there are: replay, emulate"):
        backends.find("emulat")


def test_the_code_of_a_backend_is_told_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_ROOT", tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.py").write_text("1")
    (tmp_path / "a" / "notes.txt").write_text("not code")
    first = backends.code.__wrapped__(("a",))
    assert backends.code.__wrapped__(("a",)) == first
    (tmp_path / "a" / "notes.txt").write_text("still not")
    assert backends.code.__wrapped__(("a",)) == first
    (tmp_path / "a" / "one.py").write_text("2")
    assert backends.code.__wrapped__(("a",)) != first


@pytest.mark.parametrize("name", list(backends.BACKENDS))
def test_the_code_that_is_told_is_there(name: str) -> None:
    for source in backends.find(name).sources:
        assert (Path(__file__).parents[3] / source).exists()
