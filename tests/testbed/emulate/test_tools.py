"""Finding the programs that the lab starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.emulate.tools import MissingToolError, find, search_path


def test_the_administrators_folders_are_searched_last() -> None:
    assert search_path("/opt/bin:/usr/bin").split(":")[:2] == ["/opt/bin", "/usr/bin"]
    assert "/usr/sbin" in search_path("").split(":")
    assert search_path("/usr/bin").split(":").count("/usr/bin") == 1


def test_a_program_outside_of_the_users_path_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Path(find("sh")).name == "sh"


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.emulate.tools.ADMIN", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        MissingToolError, match="'nginx' is not installed; on Debian and Ubuntu: apt-get install nginx-light"
    ):
        find("nginx")
