"""The settings of the test run itself: in continuous integration nothing is skipped unseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

SKIPPING = """
import pytest

def test_that_passes():
    pass

@pytest.mark.skip(reason="no netem here")
def test_that_is_skipped():
    pass
"""


def _run(folder: Path, text: str, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = lab: needs the kernel\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env=os.environ | {"CI": ci, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_skipped_test_fails_the_run_in_continuous_integration(tmp_path: Path) -> None:
    done = _run(tmp_path, SKIPPING, ci="true")
    assert done.returncode == 1
    assert "test_it.py::test_that_is_skipped: Skipped: no netem here" in done.stdout


def test_a_module_that_is_skipped_as_a_whole_fails_it_too(tmp_path: Path) -> None:
    done = _run(tmp_path, 'import pytest\n\npytest.importorskip("no_such_library")\n', ci="1")
    assert done.returncode != 0
    assert "no_such_library" in done.stdout


def test_at_home_a_test_may_be_skipped(tmp_path: Path) -> None:
    assert _run(tmp_path, SKIPPING, ci="").returncode == 0


def test_where_no_lab_can_be_built_its_tests_are_skipped_with_the_reason(tmp_path: Path) -> None:
    text = """
import pytest
import conftest
conftest._no_lab = lambda: "no lab here: use sudo"

@pytest.mark.lab
def test_with_a_lab():
    raise AssertionError("it ran")
"""
    done = _run(tmp_path, text, ci="")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
