"""The tests have the tree of the sources; packages list their public names, sorted."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("middlebox", "testbed", "scenarios")
#: modules whose test stands elsewhere, each with its reason
ELSEWHERE = {
    "testbed/cli/__main__.py": "two lines; the command line's own test starts it",
}


def modules() -> list[Path]:
    found = []
    for name in SOURCES:
        for path in (ROOT / name).rglob("*.py"):
            if path.name != "__init__.py" and path.relative_to(ROOT).as_posix() not in ELSEWHERE:
                found.append(path.relative_to(ROOT))
    return sorted(found)


@pytest.mark.parametrize("module", modules(), ids=str)
def test_every_module_has_its_test_file(module: Path) -> None:
    expected = ROOT / "tests" / module.parent / f"test_{module.name}"
    assert expected.exists(), f"{module} has no {expected.relative_to(ROOT)}"


@pytest.mark.parametrize("package", ["middlebox", "testbed"])
def test_a_package_lists_its_public_names_sorted(package: str) -> None:
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_no_file_is_longer_than_three_hundred_lines_without_a_reason() -> None:
    reasons = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    for name in SOURCES:
        for path in (ROOT / name).rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            where = path.relative_to(ROOT).as_posix()
            assert lines <= 300 or f"`{where}`" in reasons, f"{where} has {lines} lines and no reason in DESIGN.md"
